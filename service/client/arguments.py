"""The words of `thermal-landmarks stream`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

from service.client.connection import DEFAULT_SERVER
from service.client.requests import StreamOptions

# Options of the stream, by the names that `StreamOptions` has; unset ones are the service's.
_TEXTS: Final = {
    "variant": "size of the landmark network, as published: t, s, ...",
    "precision": "auto, fp32, fp16 or int8",
    "detector": "side of the face detector's input: auto, 320 or 640",
    "units": "what 16-bit numbers mean, in place of what the source says: auto, centikelvin,"
    " decikelvin, kelvin64, kelvin25, kelvin, celsius or counts",
    "polarity": "auto, white-hot or black-hot",
    "normalisation": "gain control before the networks: auto, linear-v1, minmax-v1 or clahe-v1",
    "smoothing": "of tracked faces: off, light or strong",
    "drop": "newest: a new frame takes the place of one that waits; none: all are answered."
    " Default: newest of cameras, none of recordings",
}
_FLOATS: Final = {
    "min_score": "0 to 1: faces with a lower score are left out",
    "emissivity": "above 0, at most 1; of radiometric JPEGs (of a SEQ: --option emissivity=...)",
    "deadline": "seconds from a frame's arrival to its answer, up to 60",
}
_INTEGERS: Final = {
    "max_faces": "1 to 256: the best ones by score are kept",
    "rotate": "0, 90, 180 or 270: degrees clockwise that turn faces upright",
    "detect_every": "frames from one look of the detector to the next at most, 1 to 1000",
}


def parser(description: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="thermal-landmarks stream", description=description)
    made.add_argument("source", metavar="SOURCE", help="synthetic, a camera, a file or a folder")
    made.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="of the source"
    )
    _add_service(made)
    options = made.add_argument_group("options of the stream (default: the service's)")
    groups: tuple[tuple[dict[str, str], Callable[[str], object]], ...] = (
        (_TEXTS, str), (_FLOATS, float), (_INTEGERS, int),
    )  # fmt: skip
    for group, kind in groups:
        for name, text in group.items():
            options.add_argument(f"--{name.replace('_', '-')}", dest=name, type=kind, help=text)
    options.add_argument(
        "--tracking", choices=("on", "off"), help="whether faces are followed from frame to frame"
    )
    options.add_argument("--include", choices=("temperatures",), help="an extra in the lines")
    _add_outputs(made)
    return made


def stream_options(given: argparse.Namespace) -> StreamOptions:
    """Those that were given; their values are checked where they are sent, and by the service."""
    names = (*_TEXTS, *_FLOATS, *_INTEGERS)
    options: dict[str, Any] = {
        name: getattr(given, name) for name in names if getattr(given, name) is not None
    }
    if given.tracking:
        options["tracking"] = given.tracking == "on"
    if given.include:
        options["include"] = (given.include,)
    return cast(StreamOptions, options)


def source_options(given: argparse.Namespace) -> dict[str, str]:
    """ValueError for a word without `=`."""
    pairs = [word.partition("=") for word in given.option]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise ValueError(f"--option {wrong[0]}: must be NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _add_service(made: argparse.ArgumentParser) -> None:
    service = made.add_argument_group("the service")
    service.add_argument(
        "--server", default=DEFAULT_SERVER, metavar="HOST:PORT", help=f"default {DEFAULT_SERVER}"
    )
    service.add_argument("--token-file", type=Path, metavar="FILE", help="holds the API token")
    service.add_argument("--tls", action="store_true", help="encrypt; trust what gRPC trusts")
    service.add_argument("--ca", type=Path, metavar="FILE", help="encrypt; trust this PEM alone")
    service.add_argument(
        "--attempts",
        type=_positive,
        metavar="N",
        help="give up after N connections in a row without an answer; default: never",
    )


def _add_outputs(made: argparse.ArgumentParser) -> None:
    outputs = made.add_argument_group("what to make of the answers")
    outputs.add_argument("--json", metavar="FILE|-", help="a JSON line a frame")
    outputs.add_argument("--csv", type=Path, metavar="FILE", help="a row a face")
    outputs.add_argument("--video", type=Path, metavar="FILE.mp4", help="annotated video")
    outputs.add_argument(
        "--show", action="store_true", help="annotated frames on a page for the browser"
    )
    outputs.add_argument(
        "--show-port", type=_port, default=0, metavar="N", help="of that page; default: a free one"
    )
    end = made.add_argument_group("when to stop (default: with the source)")
    end.add_argument("--max-frames", type=_positive, metavar="N", help="after N answers")
    end.add_argument("--seconds", type=_seconds, metavar="S", help="after S seconds")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError("must be 0 to 65535")
    return number
