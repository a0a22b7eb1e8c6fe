"""What INT8 costs and saves: speed on one core and error, each a ratio to FP32 within one run.

    python -m training.compare FP32.onnx INT8.onnx
    python -m training.compare [--models model_repository]     all pairs X, X_int8 there

The two take turns, image by image, and processor time is counted, not the clock: on a busy machine
the clock measures the neighbours. Errors are those of the gate sets.
"""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort

from service.card import CardError
from service.entities import ByteArray
from training.gate import GATE, gate_figures
from training.served import ANSWERS, onnx_network, published

BATCHES: Final = (1, 8)
ROUNDS: Final = 60  # of one image; larger batches take fewer
OUTPUTS: Final = {"landmarks": ("keypoints",), "detector": ("boxes", "scores")}  # what serving asks


def milliseconds(sessions: Mapping[str, Any], images: ByteArray, rounds: int) -> dict[str, float]:
    """Median processor time of a call with `images` uint8 `[N, 1, H, W]`, the sessions in turn.

    The sessions must work in the calling thread alone, as those of `one_core` do.
    """
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for turn in range(rounds + 3):
        for name, session in sessions.items():
            outputs = OUTPUTS[_task(session)]
            start = time.thread_time()
            session.run(outputs, {session.get_inputs()[0].name: images})
            if turn >= 3:  # the first ones also allocate
                times[name].append(time.thread_time() - start)
    return {name: 1000 * float(np.median(spent)) for name, spent in times.items()}


def one_core(path: Path) -> Any:
    """A session without threads of its own."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def compare(fp32: Path, int8: Path, rounds: int = ROUNDS, gate: Path = GATE) -> None:
    """Print both ratios."""
    sessions = {"fp32": one_core(fp32), "int8": one_core(int8)}
    task = _task(sessions["fp32"])
    with np.load(gate / f"{task}.npz") as data:
        images = data["images"][: max(BATCHES), None]
    for batch in BATCHES:
        spent = milliseconds(sessions, images[:batch], max(rounds // batch, 5))
        print(
            f"  batch {batch}: FP32 {spent['fp32'] / batch:.2f} ms an image, "
            f"INT8 {spent['int8'] / batch:.2f} ms, ratio {spent['int8'] / spent['fp32']:.3f}"
        )
    before, after = (gate_figures(task, onnx_network(p), gate)["error"] for p in (fp32, int8))
    print(f"  gate set: error FP32 {before:.5f}, INT8 {after:.5f}, ratio {after / before:.4f}")


def _task(session: Any) -> str:
    names = [output.name for output in session.get_outputs()]
    return next(task for task, answer in ANSWERS.items() if answer in names)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("pair", type=Path, nargs="*", help="the FP32 and the INT8 network")
    parser.add_argument("--models", type=Path, default=Path("model_repository"))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    if len(options.pair) not in (0, 2):
        parser.error("give two networks, FP32 and INT8, or none")
    pairs = [options.pair] if options.pair else _published_pairs(options.models)
    if not pairs:
        raise SystemExit(f"no INT8 network in {options.models}")
    for fp32, int8 in pairs:
        print(f"{fp32} and {int8}")
        compare(fp32, int8, options.rounds)


def _published_pairs(models: Path) -> list[tuple[Path, Path]]:
    names = sorted(folder.name for folder in models.glob("*_int8"))
    try:
        return [
            (published(models, name.removesuffix("_int8"))[0], published(models, name)[0])
            for name in names
        ]
    except (OSError, CardError) as error:
        raise SystemExit(f"{models}: {error}") from None


if __name__ == "__main__":
    main()
