"""How good the networks are, by the steps that serve.

    python -m training.evaluate --synthetic                     the small committed set
    python -m training.evaluate --synthetic POOL                views and frames of rendered persons
    python -m training.evaluate --real DIR [--overlays OUT]     marked real images, end to end
    python -m training.evaluate --data 300w=DIR                 a data set in its own layout

Any of these together, with `--report PAGE.html` (tables, plots, worst cases; one file) and `--json
FILE` (all figures). Networks come from `--models` (a repository), or one by one from `--checkpoint
TASK=FILE` (a checkpoint or ONNX). Give `--models`, `--variant` or `--checkpoint` several times to
see networks side by side.

--synthetic POOL takes the persons that training held out (`--split all`: a pool that it never saw).

--real DIR holds images (in folders or not) and `faces.json`, a list with an entry a face:
  {"file": "cam1/a.png", "size": [width, height], "box": [x1, y1, x2, y2],
   "points": {"right_eye": [x, y, v], "left_eye": ..., "nose": ..., "mouth_right": ...,
              "mouth_left": ..., "chin": ...},
   "attributes": ["glasses"], "difficulty": "easy" | "medium" | "hard"}
The box reaches from brow top to chin and jaw to jaw; right is the subject's; v is 2 for a point
that is seen, 1 for a guess, 0 for none. A listed file has all its faces listed; files under
`other/` have one each, unlisted; any other file has none: what is found there is a false face.

--data NAME=DIR[,split=test][,OPTION=VALUE]: `python -m training.data list` names the data sets and
their options; `python -m training.data check NAME DIR` says what a folder holds.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

from service.card import CardError
from training.data.faces import DataSetError
from training.data.sets import FRAME_SETS, SETS, Source, parse_source
from training.evaluation.candidates import (
    Candidate,
    NoPairs,
    System,
    distinct,
    file_candidate,
    pair,
    published_candidate,
)
from training.evaluation.detection import SyntheticFrames
from training.evaluation.detector_section import detector_section
from training.evaluation.end_to_end import end_to_end_section
from training.evaluation.examples import DataSetExamples, DataSetFrames, SyntheticViews
from training.evaluation.gate_section import gate_section
from training.evaluation.landmark_section import landmark_section
from training.evaluation.real import RealReport, evaluate_real
from training.evaluation.real_section import real_section
from training.evaluation.sections import Section, plain, text
from training.metrics import MIN_SCORE
from training.revision import source_revision
from training.served import ANSWERS, DETECTOR, WrongNetwork
from training.synthesis.pool import PoolMissing

GATE = ""  # what `--synthetic` alone stands for
REPOSITORY = Path("model_repository")
_REFUSALS = (WrongNetwork, NoPairs, PoolMissing, DataSetError, CardError, OSError)


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    given = sys.argv[1:] if arguments is None else arguments
    command = f"python -m training.evaluate {shlex.join(given)}"
    sections = []
    try:
        networks = {task: _candidates(options, task) for task in ANSWERS}
        for candidate in [c for of_task in networks.values() for c in of_task]:
            print(f"{candidate.label}: {candidate.path}, SHA-256 {candidate.sha256[:16]}")
        for section in _sections(options, networks):
            print(text(section), flush=True)
            sections.append(section)
    except _REFUSALS as error:
        raise SystemExit(f"not evaluated: {error}") from None
    everyone = [candidate for of_task in networks.values() for candidate in of_task]
    _write(options, sections, everyone, command)


def _candidates(options: argparse.Namespace, task: str) -> list[Candidate]:
    """Those named by `--checkpoint`, or else what the repositories serve."""
    files = [Path(file) for named, file in options.checkpoint if named == task]
    if files:
        return distinct([file_candidate(task, file) for file in files])
    names = [DETECTOR]
    if task == "landmarks":
        names = [f"landmarks_{variant}" for variant in options.variant or ["t"]]
    repositories = options.models or [REPOSITORY]
    return distinct(
        [published_candidate(folder, name, task) for folder, name in product(repositories, names)]
    )


def _sections(
    options: argparse.Namespace, networks: dict[str, list[Candidate]]
) -> Iterator[Section]:
    draw = options.report is not None
    for pool in options.synthetic:
        if pool == GATE:
            yield gate_section([*networks["detector"], *networks["landmarks"]])
        else:
            yield from _pool_sections(options, Path(pool), networks, draw)
    for source in options.data:
        yield _data_set_section(source, networks, options.min_score, draw)
    if options.real:
        systems = pair(networks["detector"], networks["landmarks"])
        reports = {s.label: _real(options, s, len(systems) > 1) for s in systems}
        yield real_section(options.real, reports, draw)


def _data_set_section(
    source: Source, networks: dict[str, list[Candidate]], min_score: float, draw: bool
) -> Section:
    of_set = f"{source.folder.name} ({source.name})"
    if source.name in FRAME_SETS:
        frames = DataSetFrames(source)
        return detector_section(
            f"Detection: {of_set}", frames, networks["detector"], min_score, draw
        )
    examples = DataSetExamples(source)
    return landmark_section(f"Landmarks: {of_set}", examples, networks["landmarks"], draw)


def _pool_sections(
    options: argparse.Namespace, pool: Path, networks: dict[str, list[Candidate]], draw: bool
) -> Iterator[Section]:
    of_set = (pool, options.split)
    if options.views:
        two_looks = options.two_looks
        views = SyntheticViews(*of_set, options.views, options.seed, two_looks=two_looks)
        yield landmark_section(f"Landmarks: {pool.name}", views, networks["landmarks"], draw)
    if options.frames:
        title, detectors = f"Detection: {pool.name}", networks["detector"]
        side = max(detector.side for detector in detectors)
        frames = SyntheticFrames(*of_set, options.frames, options.seed, side)
        yield detector_section(title, frames, detectors, options.min_score, draw)
        if options.end_to_end:
            systems = pair(detectors, networks["landmarks"])
            yield end_to_end_section(
                f"End to end: {pool.name}", frames, systems, options.min_score, draw
            )


def _real(options: argparse.Namespace, system: System, several: bool) -> RealReport:
    overlays = options.overlays
    if overlays and several:
        overlays = overlays / system.label.replace("/", "_")
    return evaluate_real(
        options.real,
        system.detector.looks,
        system.landmarks.network,
        system.landmarks.weights,
        options.min_score,
        overlays,
        options.unmarked,
    )


def _write(
    options: argparse.Namespace,
    sections: Sequence[Section],
    networks: Sequence[Candidate],
    command: str,
) -> None:
    date, revision = datetime.now().astimezone(), source_revision()
    if options.json:
        whole = {
            "command": command,
            "revision": revision,
            "date": date.isoformat(timespec="seconds"),
            "networks": {
                n.label: {"task": n.task, "file": str(n.path), "sha256": n.sha256} for n in networks
            },
            "sections": [
                {"title": s.title, "protocol": s.protocol, "figures": s.figures} for s in sections
            ],
        }
        options.json.write_text(json.dumps(plain(whole), indent=2) + "\n")
    if options.report:
        from training.evaluation.page import render  # only here: figures need no templates

        options.report.write_text(
            render(sections, networks, command, date, revision), encoding="utf-8"
        )
        print(f"report: {options.report}")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    several: dict[str, Any] = {"action": "append", "default": []}
    add("--synthetic", nargs="?", const=GATE, metavar="POOL", **several,
        help="error on the gate sets, or on a pool of persons")  # fmt: skip
    add("--real", type=Path, metavar="DIR", help="folder with a faces.json")
    add("--data", type=_data, metavar="NAME=DIR", **several,
        help=f"a data set; names: {', '.join(SETS)}")  # fmt: skip
    add("--models", type=Path, metavar="DIR", **several, help=f"default: {REPOSITORY}")
    add("--variant", **several, help="of the landmark networks in --models; default: t")
    add("--checkpoint", type=_checkpoint, metavar="TASK=FILE", **several,
        help="instead of the task's networks in --models; TASK: landmarks or detector")  # fmt: skip
    add("--split", choices=("val", "train", "all"), default="val", help="of the pool's persons")
    add("--views", type=_count, default=2000, help="landmark crops of the pool; 0: none")
    add("--two-looks", action="store_true",
        help="at doubtful and tilted crops of the pool, as serving does")  # fmt: skip
    add("--frames", type=_count, default=500, help="detector frames of the pool; 0: none")
    add("--end-to-end", action="store_true", help="on these frames, also both networks together")
    add("--seed", type=_count, default=0, help="of views and frames")
    add("--min-score", type=float, default=MIN_SCORE)
    add("--overlays", type=Path, metavar="OUT", help="folder for drawn pictures of --real")
    add("--unmarked", metavar="FILE", **several,
        help="of --real: holds people whom nobody marked, no false faces there")  # fmt: skip
    add("--report", type=Path, metavar="PAGE", help="write all as one HTML file")
    add("--json", type=Path, metavar="FILE",
        help="write all figures; null: there is none, missed: infinite")  # fmt: skip
    options = parser.parse_args(arguments)
    if not (options.real or options.synthetic or options.data):
        parser.error("nothing to do: give --synthetic, --real or --data")
    return options


def _checkpoint(value: str) -> tuple[str, str]:
    return _pair_of(value, tuple(ANSWERS))


def _data(value: str) -> Source:
    try:
        return parse_source(value)
    except DataSetError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _pair_of(value: str, names: Sequence[str]) -> tuple[str, str]:
    name, _, path = value.partition("=")
    if name not in names or not path:
        raise argparse.ArgumentTypeError(f"{value!r} is not NAME=PATH with a name of {list(names)}")
    return name, path


def _count(value: str) -> int:
    count = int(value)
    if count < 0:
        raise argparse.ArgumentTypeError(f"{value} is below 0")
    return count


if __name__ == "__main__":
    main()
