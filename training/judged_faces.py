"""Held-out faces and things that are none, by the steps that serve, and the limits between them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from service.entities import Box, ByteArray, FloatArray, ThermalFrame, Unit, Verdict
from service.vision.crop import SimilarityMap
from service.vision.faces import crop_faces, to_frame
from service.vision.verdict import (
    CUT_SHARE,
    FINE_SHARE,
    VerdictLimits,
    judge,
    outside_frame,
    relative_errors,
)
from training.metrics import FAILURE_LIMIT, bounding_boxes, box_size
from training.synthesis.backgrounds import background
from training.synthesis.camera import expose
from training.synthesis.frames import compose_frame
from training.synthesis.pool import Pool

PRECISION: Final = 0.95  # of the faces called reliable, those with an error up to FAILURE_LIMIT
FAKES: Final = 0.01  # of the fakes, those called reliable, at most
ORDINARY_FAKE: Final = 0.95  # of the fakes, those that no tenth of fine landmarks may excuse
_BINS: Final = 10  # of the faces by size
_FAKE_FRAMES: Final = ((160, 120), (320, 240), (464, 348))  # width, height

# uint8 `[N, H, W]` to keypoints `[N, 68, 4]` in crop pixels
Keypoints = Callable[[ByteArray], FloatArray]


@dataclass(frozen=True)
class Seen:
    """One box of one frame and what the network said. keypoints: `[68, 4]` in crop pixels; truth:
    landmarks `[68, 2]` in frame pixels, None where there is no face."""

    keypoints: FloatArray
    to_network: SimilarityMap
    box: Box
    width: int
    height: int
    truth: FloatArray | None

    def landmarks(self) -> FloatArray:
        """`[68, 4]` in frame pixels."""
        return to_frame(self.keypoints, self.to_network)

    def distances(self) -> FloatArray:
        """To the truth, `[68]` in frame pixels; nan for what lies outside the frame."""
        assert self.truth is not None
        away = np.linalg.norm(self.landmarks()[:, :2] - self.truth, axis=1)
        return np.where(outside_frame(self.truth, self.width, self.height), np.nan, away)

    def error(self) -> float:
        """Mean distance over the face's own size; nan if none of it is in the frame."""
        assert self.truth is not None
        distances = self.distances()
        if np.isnan(distances).all():
            return float("nan")
        return float(np.nanmean(distances) / box_size(bounding_boxes(self.truth[None]))[0])


def see_faces(pool: str, frames: int, seed: int, network: Keypoints) -> list[Seen]:
    """The faces of so many composed frames of held-out persons, in boxes as a detector's."""
    portraits, figures = (Pool(pool, kind, "val") for kind in ("portrait", "figure"))
    found = []
    for index in range(frames):
        rng = np.random.default_rng((seed, 20, index))
        frame = compose_frame(portraits, figures, rng)
        for box, ignore, truth in zip(frame.boxes, frame.ignore, frame.landmarks, strict=True):
            given = _detected(box, frame.values, rng)
            if not ignore and given is not None:
                found.append((frame.values, given, truth))
    return _see(found, network)


def see_fakes(count: int, seed: int, network: Keypoints) -> list[Seen]:
    """Boxes where no face is: scenes without people; noise, print and ramps."""
    made: list[tuple[FloatArray, Box, FloatArray | None]] = []
    for index in range(count):
        rng = np.random.default_rng((seed, 21, index))
        width, height = _FAKE_FRAMES[rng.integers(len(_FAKE_FRAMES))]
        values = _no_face(height, width, rng)
        side = float(np.exp(rng.uniform(np.log(12.0), np.log(0.8 * height))))
        x, y = rng.uniform(0, width - side), rng.uniform(0, height - side)
        made.append((values, Box(x, y, x + side * rng.uniform(0.8, 1.0), y + side), None))
    return _see(made, network)


def _see(
    found: Sequence[tuple[FloatArray, Box, FloatArray | None]], network: Keypoints
) -> list[Seen]:
    crops = [
        crop_faces(ThermalFrame(values, Unit.COUNTS, "synthesis"), [box], "auto")[0]
        for values, box, _ in found
    ]
    answers = network(np.stack([view for view, _ in crops]))
    return [
        Seen(keypoints, to_network, box, values.shape[1], values.shape[0], truth)
        for keypoints, (_, to_network), (values, box, truth) in zip(
            answers, crops, found, strict=True
        )
    ]


def _detected(box: FloatArray, values: FloatArray, rng: np.random.Generator) -> Box | None:
    """A box off by some per cent and clipped to the frame; None if hardly anything is left."""
    extent = box[2:] - box[:2]
    centre = (box[:2] + box[2:]) / 2 + rng.normal(0, 0.05, 2) * extent
    extent = extent * np.exp(rng.normal(0, 0.07, 2))
    corners = np.concatenate([centre - extent / 2, centre + extent / 2])
    limits = np.array([values.shape[1] - 1, values.shape[0] - 1] * 2)
    clipped = Box(*np.clip(corners, 0, limits).tolist())
    return clipped if min(clipped.width, clipped.height) >= 2 else None


def _no_face(height: int, width: int, rng: np.random.Generator) -> FloatArray:
    kind = rng.choice(["scene", "noise", "print", "ramp"], p=[0.5, 0.2, 0.15, 0.15])
    if kind == "scene":
        return expose(background(height, width, float(rng.normal(22, 5)), rng), rng).values
    if kind == "noise":
        noise = rng.standard_normal((height, width), np.float32)
        return np.asarray(cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.3, 8.0)), np.float32)
    if kind == "print":
        page = np.full((height, width), 200, np.float32)
        for row in range(8, height, 14):
            text = "".join(map(chr, rng.integers(65, 122, 40)))
            cv2.putText(page, text, (2, row), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 20.0, 1)
        return page
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:height, :width] / max(height, width)
    return np.asarray(np.cos(angle) * x + np.sin(angle) * y, np.float32)


def choose_limits(faces: Sequence[Seen], fakes: Sequence[Seen]) -> VerdictLimits | None:
    """The widest limits that keep `PRECISION` and `FAKES`; None if there are none.

    Keypoints must hold calibrated errors.
    """
    whole = [face for face in faces if not _is_cut(face)]
    expected = np.array([_errors(face).mean() for face in whole])
    good = np.array([face.error() <= FAILURE_LIMIT for face in whole])
    of_fakes = np.stack([_errors(fake) for fake in fakes])
    order = np.argsort(expected)
    kept = np.cumsum(good[order]) / np.arange(1, len(order) + 1) >= PRECISION
    kept &= np.append(np.diff(expected[order]) > 0, True)  # a limit takes equals together
    kept &= expected[order] <= np.quantile(of_fakes.mean(axis=1), FAKES)
    if not kept.any():
        return None
    max_error = float(expected[order][kept].max())
    max_error = math.ceil(max_error * 1e4) / 1e4  # up: the faces that it was chosen by stay
    finest = np.quantile(of_fakes, FINE_SHARE, axis=1)
    return VerdictLimits(
        max_error=max_error,
        fine_error=round(float(np.quantile(finest, 1 - ORDINARY_FAKE)), 4),
        small_size=round(_small_size(whole, expected <= max_error), 1),
    )


def _small_size(faces: Sequence[Seen], reliable: NDArray[np.bool_]) -> float:
    """Up to which size fewer than half are reliable, by tenths of the faces; else the smallest."""
    sizes = np.array([face.box.size for face in faces])
    bins = np.array_split(np.argsort(sizes), _BINS)
    poor = [sizes[part].max() for part in bins if reliable[part].mean() < 0.5]
    return float(max(poor, default=sizes.min()))


def verdict_figures(
    faces: Sequence[Seen], fakes: Sequence[Seen], limits: VerdictLimits
) -> dict[str, float]:
    """How the limits do on other pictures than those they were chosen on."""
    good = np.array([face.error() <= FAILURE_LIMIT for face in faces])
    reliable = np.array([_judge(face, limits).reliable for face in faces])
    of_fakes = [_judge(fake, limits) for fake in fakes]
    shares = {
        "good": good.mean(),
        "coverage": reliable.mean(),
        "coverage_of_good": reliable[good].mean(),
        "precision": good[reliable].mean(),
        "fakes_called_reliable": np.mean([verdict.reliable for verdict in of_fakes]),
    }
    return {"faces": len(faces), **{name: round(float(s), 4) for name, s in shares.items()}}


def reasons(seen: Sequence[Seen], limits: VerdictLimits) -> dict[str, int]:
    """How often each combination of reasons is given; `reliable` for none."""
    counts: dict[str, int] = {}
    for one in seen:
        name = "+".join(_judge(one, limits).reasons) or "reliable"
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))


def _judge(seen: Seen, limits: VerdictLimits) -> Verdict:
    return judge(seen.landmarks(), seen.box, limits, width=seen.width, height=seen.height)


def _errors(seen: Seen) -> FloatArray:
    return relative_errors(seen.landmarks(), seen.box)


def _is_cut(seen: Seen) -> bool:
    return bool(outside_frame(seen.landmarks(), seen.width, seen.height).mean() > CUT_SHARE)
