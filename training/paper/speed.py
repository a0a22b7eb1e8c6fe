"""Table II and Figure 4: how long one core takes for a face, by variant, with ONNX Runtime.

Latency does not depend on what a network has learnt: the networks have weights by seed. As in the
paper's Table II a face costs one look of the detector (RTMDet-nano, 320 x 320) and one of the
landmark network (256 x 256), batch 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from service.entities import ByteArray
from training.compare import milliseconds, one_core
from training.complexity import complexity
from training.export import export_detector, export_landmarks, seeded_detector, seeded_landmarks
from training.models.graphs import DETECTOR_INPUT

INPUT: Final = 256
VARIANTS: Final = ("t", "s", "m", "l", "x")


@dataclass(frozen=True)
class Latency:
    """Processor time of one face in milliseconds, medians: of both networks."""

    variant: str
    parameters: int
    landmarks_ms: float
    detector_ms: float

    @property
    def milliseconds(self) -> float:
        return self.landmarks_ms + self.detector_ms


def measure(
    rounds: int, say: Callable[[str], None], variants: Sequence[str] = VARIANTS
) -> list[Latency]:
    """Of each variant. rounds: calls of each network."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "detector.onnx"
        export_detector(seeded_detector(), path)
        detector_ms = _time(path, DETECTOR_INPUT, rounds)
        measured = []
        for variant in variants:
            network = seeded_landmarks(variant)
            path = Path(folder) / f"landmarks_{variant}.onnx"
            export_landmarks(network, path)
            spent = _time(path, INPUT, rounds)
            parameters = complexity(network, INPUT).parameters
            measured.append(Latency(variant, parameters, spent, detector_ms))
            say(f"  RTMPose-{variant}: {spent:.2f} ms, detector {detector_ms:.2f} ms")
    return measured


def _time(path: Path, side: int, rounds: int) -> float:
    picture: ByteArray = np.random.default_rng(0).integers(0, 256, (1, 1, side, side), np.uint8)
    return milliseconds({"network": one_core(path)}, picture, rounds)["network"]
