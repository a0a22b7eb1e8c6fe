"""How good the networks are, end to end, by the steps that serve.

    python -m training.evaluate --real DIR [--overlays OUT] [--json FILE]
    python -m training.evaluate --synthetic

Networks come from `--models` (ONNX), or one by one from `--checkpoint landmarks=FILE.pt`.

DIR holds images (in folders or not) and `faces.json`, a list with an entry a face:
  {"file": "cam1/a.png", "size": [width, height], "box": [x1, y1, x2, y2],
   "points": {"right_eye": [x, y, v], "left_eye": ..., "nose": ..., "mouth_right": ...,
              "mouth_left": ..., "chin": ...},
   "attributes": ["glasses"], "difficulty": "easy" | "medium" | "hard"}
The box reaches from brow top to chin and jaw to jaw; right is the subject's; v is 2 for a point
that is seen, 1 for a guess, 0 for none. A listed file has all its faces listed; files under
`other/` have one each, unlisted; any other file has none: what is found there is a false face.
"""

import argparse
import json
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.entities import Box, Face, ThermalFrame
from service.errors import ServiceError
from service.imaging.decode import decode_image
from service.imaging.drawing import draw_faces
from training.gate import PROTOCOLS, gate_figures
from training.metrics import MIN_SCORE
from training.real_faces import (
    GUESSED,
    SEEN,
    MarkedFace,
    ScoredFace,
    error_percentiles,
    list_images,
    match_boxes,
    point_errors,
    read_marks,
    recall,
)
from training.served import (
    Network,
    checkpoint_network,
    find_boxes,
    find_landmarks,
    onnx_network,
    published,
)

SIZES = (32, 24, 0)  # pixels; recall is told from each size up
GROUPS = (
    ("seen, easy + medium", SEEN, ("easy", "medium")),
    ("guessed, easy + medium", GUESSED, ("easy", "medium")),
    ("seen, hard", SEEN, ("hard",)),
    ("guessed, hard", GUESSED, ("hard",)),
)


@dataclass
class RealReport:
    """unreadable: files that did not decode. false_faces: boxes in files without faces.
    unmatched: boxes in listed files that find no listed face."""

    faces: list[ScoredFace]
    false_faces: list[tuple[str, Box]]
    unmatched: list[tuple[str, Box]]
    empty_files: int
    unreadable: list[str]


def evaluate_real(
    folder: Path,
    detector: Network,
    landmarks: Network,
    min_score: float = MIN_SCORE,
    overlays: Path | None = None,
    unmarked: Collection[str] = (),
) -> RealReport:
    """Score a folder of marked real images (see `training.real_faces`).

    unmarked: files with people whom nobody marked; what is found there counts as nothing.
    """
    marks = read_marks(folder)
    report = RealReport([], [], [], 0, [])
    for name in list_images(folder):
        try:
            frame = decode_image((folder / name).read_bytes())
        except ServiceError as error:
            report.unreadable.append(f"{name}: {error}")
            continue
        boxes = find_boxes(frame, detector, min_score)
        found = find_landmarks(frame, boxes, landmarks)
        if overlays:
            _draw(overlays / f"{name}.png", frame, found)
        if name in marks:
            _score_listed(report, frame, marks[name], found, landmarks)
        elif not name.startswith("other/") and name not in unmarked:
            report.empty_files += 1
            report.false_faces += [(name, box) for box in boxes]
    return report


def _score_listed(
    report: RealReport,
    frame: ThermalFrame,
    marked: Sequence[MarkedFace],
    found: Sequence[Face],
    landmarks: Network,
) -> None:
    given = find_landmarks(frame, tuple(face.box for face in marked), landmarks)
    matches = match_boxes(marked, [face.box for face in found])
    for mark, match, with_box in zip(marked, matches, given, strict=True):
        face = None if match is None else found[match]
        report.faces.append(
            ScoredFace(
                mark,
                face.box if face else None,
                point_errors(mark, face.landmarks if face else None),
                point_errors(mark, with_box.landmarks),
            )
        )
    name = marked[0].file
    report.unmatched += [
        (name, face.box) for index, face in enumerate(found) if index not in matches
    ]


def _draw(path: Path, frame: ThermalFrame, faces: Sequence[Face]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(draw_faces(frame, faces))


def summary(report: RealReport) -> dict[str, Any]:
    """The aggregates as plain values."""
    return {
        "recall": {f">={size}px": recall(report.faces, size) for size in SIZES},
        "errors": {
            f"{group}, {which} boxes": error_percentiles(report.faces, which, seen, difficulties)
            for group, seen, difficulties in GROUPS
            for which in ("detected", "given")
        },
        "false_faces": len(report.false_faces),
        "files_without_faces": report.empty_files,
        "unmatched_in_listed_files": len(report.unmatched),
        "unreadable": report.unreadable,
    }


def print_report(report: RealReport) -> None:
    """A row a face, then the aggregates."""
    heads = ("seen", "guessed", "seen*", "guessed*")
    print(f"{'face':42}{'size':>6} {'marked':8}{'score':>6}" + "".join(f"{h:>10}" for h in heads))
    for face in report.faces:
        mark = face.marked
        score = f"{face.box.score:.2f}" if face.box else "-"
        errors = [
            face.mean_error(which, seen)
            for which in ("detected", "given")
            for seen in (SEEN, GUESSED)
        ]
        row = f"{mark.file[-41:]:42}{mark.box.size:6.1f} {mark.difficulty:8}{score:>6}"
        print(row + "".join(f"{_number(error):>10}" for error in errors))
    print("Errors: mean over a face's points / sqrt(w * h); * with the marked box given.\n")
    figures = summary(report)
    for size, (found, there) in figures["recall"].items():
        print(f"recall {size:8} {found}/{there}")
    print(f"\n{'points / sqrt(w * h)':42}{'faces':>6}{'points':>7}", end="")
    print("".join(f"{h:>14}" for h in ("median points", "p95 points", "median faces", "p95 faces")))
    for group, errors in figures["errors"].items():
        print(f"{group:42}{errors['faces']:6.0f}{errors['points']:7.0f}", end="")
        names = ("median_points", "p95_points", "median_faces", "p95_faces")
        print("".join(f"{_number(errors[name]):>14}" for name in names))
    print(f"\nfalse faces: {len(report.false_faces)} in {report.empty_files} files without faces")
    for name, box in report.false_faces:
        print(f"  {name}: score {box.score:.2f}, size {box.size:.0f}")
    print(f"boxes that find no listed face, in listed files: {len(report.unmatched)}")
    for problem in report.unreadable:
        print(f"not readable: {problem}")


def print_synthetic(networks: dict[str, Network]) -> dict[str, dict[str, float]]:
    """Figures on the gate sets."""
    figures = {task: gate_figures(task, network) for task, network in networks.items()}
    for task, values in figures.items():
        print(f"{task}: {PROTOCOLS[task]}")
        print("  " + "  ".join(f"{name} {value:.4f}" for name, value in values.items()))
    return figures


def _number(error: float) -> str:
    if math.isnan(error):
        return "-"
    return "missed" if math.isinf(error) else f"{error:.4f}"


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    networks = _networks(options)
    results: dict[str, Any] = {}
    if options.synthetic:
        results["synthetic"] = print_synthetic(networks)
    if options.real:
        report = evaluate_real(
            options.real,
            networks["detector"],
            networks["landmarks"],
            options.min_score,
            options.overlays,
            options.unmarked,
        )
        print_report(report)
        results["real"] = summary(report)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


def _networks(options: argparse.Namespace) -> dict[str, Network]:
    networks = {}
    checkpoints = dict(pair.split("=", 1) for pair in options.checkpoint)
    for task, name in (
        ("detector", "face_detector"),
        ("landmarks", f"landmarks_{options.variant}"),
    ):
        if task in checkpoints:
            networks[task] = checkpoint_network(Path(checkpoints[task]))
        else:
            networks[task] = onnx_network(published(options.models, name)[0])
    return networks


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--real", type=Path, metavar="DIR", help="folder with a faces.json")
    parser.add_argument("--synthetic", action="store_true", help="error on the gate sets")
    parser.add_argument("--models", type=Path, default=Path("model_repository"))
    parser.add_argument("--variant", default="t")
    parser.add_argument("--checkpoint", action="append", default=[], metavar="TASK=FILE")
    parser.add_argument("--min-score", type=float, default=MIN_SCORE)
    parser.add_argument("--overlays", type=Path, metavar="OUT", help="folder for drawn pictures")
    parser.add_argument(
        "--unmarked",
        action="append",
        default=[],
        metavar="FILE",
        help="holds people whom nobody marked: no false faces there",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the aggregates")
    options = parser.parse_args(arguments)
    if not (options.real or options.synthetic):
        parser.error("nothing to do: --real DIR, --synthetic, or both")
    return options


if __name__ == "__main__":
    main()
