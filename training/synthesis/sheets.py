"""Pictures of the synthesis to look at, the sample frame, and the gate sets."""

from pathlib import Path

import cv2
import numpy as np

from service.entities import ByteArray, FloatArray
from training.synthesis.backgrounds import background
from training.synthesis.frames import compose_frame, detector_view, extend_down
from training.synthesis.pool import Pool
from training.synthesis.views import landmark_view, over

GATE_CROPS, GATE_FRAMES, GATE_BOXES = 96, 40, 12  # 5 MB: they are committed


def _dots(image: ByteArray, points: FloatArray, weight: FloatArray) -> ByteArray:
    picture = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    for (x, y), w in zip(points, weight, strict=True):
        colour = (0, 255, 0) if w > 0 else (0, 0, 255)
        cv2.circle(picture, (round(float(x)), round(float(y))), 1, colour, -1)
    return np.asarray(picture, np.uint8)


def contact_sheet(pool: Path, out: Path, seed: int) -> None:
    """24 landmark crops and 12 detector frames with their labels, as one PNG."""
    portraits, figures = Pool(pool, "portrait"), Pool(pool, "figure")
    tiles = []
    for i in range(24):
        rng = np.random.default_rng((seed, 1, i))
        view = landmark_view(portraits.layer(int(rng.integers(len(portraits)))), rng)
        tiles.append(_dots(view.image, view.points, view.weight))
    rows = [np.hstack(tiles[i : i + 8]) for i in range(0, 24, 8)]
    frames = []
    for i in range(12):
        frame = compose_frame(portraits, figures, np.random.default_rng((seed, 2, i)))
        image, boxes = detector_view(frame)
        picture = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        for (x1, y1, x2, y2), ignored in zip(
            np.round(boxes).astype(int), frame.ignore, strict=True
        ):
            colour = (0, 0, 255) if ignored else (0, 255, 0)
            cv2.rectangle(picture, (int(x1), int(y1)), (int(x2), int(y2)), colour, 1)
        frames.append(picture)
    rows += [np.hstack(frames[i : i + 6]) for i in range(0, 12, 6)]
    width = max(row.shape[1] for row in rows)
    padded = [cv2.copyMakeBorder(r, 0, 0, 0, width - r.shape[1], cv2.BORDER_CONSTANT) for r in rows]
    out.parent.mkdir(parents=True, exist_ok=True)  # OpenCV would write nothing and say nothing
    cv2.imwrite(str(out), np.vstack(padded))


def sample_frame(pool: Path, out: Path, seed: int) -> None:
    """A radiometric 320x256 frame of one person as 16-bit PNG in centikelvin."""
    rng = np.random.default_rng((seed, 3))
    portraits = Pool(pool, "portrait")
    layer = portraits.layer(int(rng.integers(len(portraits))))
    height, width = 256, 320
    scene = background(height, width, layer.facts.ambient, rng)
    scale = 0.62  # of the layer: a face of about 80 pixels
    middle = layer.box.reshape(2, 2).mean(axis=0)
    origin = middle - np.array([width * 0.5, height * 0.45]) / scale
    layer = extend_down(layer, height)
    scene, _ = over(layer, scale, origin.astype(np.float32), scene)
    scene = cv2.GaussianBlur(scene, (0, 0), 0.7) + rng.normal(0, 0.04, scene.shape)
    out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out), np.round((scene + 273.15) * 100).astype(np.uint16))


def write_gate(pool: Path, out: Path, seed: int) -> None:
    """`landmarks.npz` and `detector.npz`: fixed, labelled crops and frames of held-out people."""
    portraits, figures = Pool(pool, "portrait", "val"), Pool(pool, "figure", "val")
    views = []
    for i in range(GATE_CROPS):
        rng = np.random.default_rng((seed, 4, i))
        views.append(landmark_view(portraits.layer(int(rng.integers(len(portraits)))), rng))
    images = np.zeros((GATE_FRAMES, 320, 320), np.uint8)
    boxes = np.zeros((GATE_FRAMES, GATE_BOXES, 4), np.float32)
    valid = np.zeros((GATE_FRAMES, GATE_BOXES), bool)
    ignore = np.zeros((GATE_FRAMES, GATE_BOXES), bool)
    for i in range(GATE_FRAMES):
        frame = compose_frame(portraits, figures, np.random.default_rng((seed, 5, i)))
        images[i], found = detector_view(frame)
        boxes[i, : len(found)] = found
        ignore[i, : len(found)] = frame.ignore > 0
        valid[i, : len(found)] = frame.ignore == 0
    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        out / "landmarks.npz",
        images=np.stack([v.image for v in views]),
        points=np.stack([v.points for v in views]),
        weight=np.stack([v.weight for v in views]),
    )
    np.savez_compressed(
        out / "detector.npz", images=images, boxes=boxes, valid=valid, ignore=ignore
    )
