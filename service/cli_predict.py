"""`thermal-landmarks predict FILE...`: the service's own path, in-process, without a server.

One JSON line a file on standard output. Exit status: 0 all files answered, 1 some were not, 2 the
command or a setting is wrong, 3 the models needed are not there.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from service.bootstrap import Gateway, bootstrap
from service.errors import BrokenImage, InvalidOption, ServiceError
from service.imaging.drawing import draw_faces
from service.landmarks import Result
from service.options import MAX_DEADLINE_MS, PredictOptions, parse_options
from service.rest.models import ImageAnswer, ModelsUsed, failed_answer, image_answer, models_used
from service.rest.problems import problem
from service.settings import Settings
from service.telemetry import configure_logging

DONE, SOME_FAILED, USAGE, NO_MODELS = range(4)
_RESERVED: Final = {"command", "files", "draw"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    given = _parser().parse_args(arguments)
    raw = {name: value for name, value in vars(given).items() if name not in _RESERVED and value}
    # Nobody waits at a socket: take the longest deadline unless one was asked for.
    raw.setdefault("deadline_ms", str(MAX_DEADLINE_MS))
    try:
        settings = Settings()
        options = parse_options(raw)
        if options.boxes is not None and len(given.files) > 1:
            raise InvalidOption("boxes: only with one image")
        gateway = _gateway(settings)
    except (ValidationError, ServiceError) as error:
        return _complain(error)
    try:
        return asyncio.run(_predict(gateway, given.files, options, given.draw))
    except BrokenPipeError:  # the reader has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the last flush
        return SOME_FAILED
    except OSError as error:  # the folder to draw into cannot be written
        return _complain(error)


def _gateway(settings: Settings) -> Gateway:
    configure_logging("error", sys.stderr)  # standard output is for the answers
    return bootstrap(settings)


async def _predict(
    gateway: Gateway, files: Sequence[Path], options: PredictOptions, draw: Path | None
) -> int:
    if draw:
        draw.mkdir(parents=True, exist_ok=True)
    failed = False
    async with gateway:
        await gateway.loaded()
        try:
            gateway.service.check(options)
        except ServiceError as error:
            return _complain(error)
        for index, file in enumerate(files):
            try:
                result = await _predict_file(gateway, file, options, draw)
            except ServiceError as error:
                failed = True
                _write(file, failed_answer(index, problem(error)), models_used(None))
                continue
            _write(file, image_answer(index, result, options.include), models_used(result))
            if draw:
                _draw(result, draw / f"{index:03d}-{file.stem}.png")
    return SOME_FAILED if failed else DONE


async def _predict_file(
    gateway: Gateway, file: Path, options: PredictOptions, draw: Path | None
) -> Result:
    try:
        data = await asyncio.to_thread(file.read_bytes)
    except OSError as error:
        raise BrokenImage(f"cannot be read: {error.strerror}") from None
    deadline = gateway.service.deadline(options)
    with gateway.service.chosen(options) as models:
        return await gateway.service.predict(data, models, options, deadline, keep_frame=bool(draw))


def _complain(error: Exception) -> int:
    print(f"thermal-landmarks: {error}", file=sys.stderr)
    return USAGE if isinstance(error, InvalidOption | ValidationError | OSError) else NO_MODELS


def _write(file: Path, answer: ImageAnswer, used: ModelsUsed) -> None:
    dumped = answer.model_dump(mode="json", exclude_unset=True)
    line = {"file": str(file), **dumped, "models": used.model_dump(mode="json")}
    print(json.dumps(line), flush=True)


def _draw(result: Result, path: Path) -> None:
    assert result.frame is not None
    prediction = result.prediction
    path.write_bytes(draw_faces(result.frame, prediction.faces, prediction.normalisation))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="thermal-landmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("stream", help="a camera through a running service: see `stream --help`")
    predict = commands.add_parser("predict", help="landmarks of image files, one JSON line each")
    predict.add_argument("files", nargs="+", type=Path, metavar="FILE")
    predict.add_argument("--draw", type=Path, metavar="DIR", help="also write drawn pictures there")
    for name, field in PredictOptions.model_fields.items():
        predict.add_argument(f"--{name.replace('_', '-')}", dest=name, help=field.description)
    return parser
