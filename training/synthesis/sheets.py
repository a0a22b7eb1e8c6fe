"""Pictures of the synthesis to look at, the sample frame, and the gate sets."""

from pathlib import Path

import cv2
import numpy as np

from service.entities import ByteArray
from training.synthesis import gallery
from training.synthesis.backgrounds import background
from training.synthesis.compose import paste
from training.synthesis.config import DEFAULT
from training.synthesis.config.scene import FrameConfig
from training.synthesis.frames import compose_frame, detector_view
from training.synthesis.gallery_person import person_sheet
from training.synthesis.gallery_rgb import rgb_sheet
from training.synthesis.head import HeadModelMissing
from training.synthesis.pictures import boxed, dotted, sheet, write_picture
from training.synthesis.pool import Pool
from training.synthesis.views import landmark_view, neighbour

TOPICS = ("overview", "person", "rgb", "camera", "background", "occluder", "view", "frame")
GATE_CROPS, GATE_FRAMES, GATE_BOXES = 96, 40, 12  # 5 MB: they are committed


def write_sheet(pool: Path, out: Path, topic: str, seed: int, head: Path | None = None) -> None:
    """One of `TOPICS` as a picture: `overview`, or every knob of a room.

    head: the head model, for `person` and `rgb`, which are rendered anew.
    """
    if topic in ("person", "rgb"):
        if head is None:
            raise HeadModelMissing(
                f"the topic {topic} is rendered from the head model: name it with --head"
            )
        picture = (person_sheet if topic == "person" else rgb_sheet)(head, seed)
    elif topic == "background":
        picture = gallery.background_sheet(seed)
    else:
        portraits, figures = Pool(pool, "portrait"), Pool(pool, "figure")
        picture = {
            "overview": lambda: overview(portraits, figures, seed),
            "camera": lambda: gallery.camera_sheet(portraits, seed),
            "occluder": lambda: gallery.occluder_sheet(portraits, seed),
            "view": lambda: gallery.view_sheet(portraits, seed),
            "frame": lambda: gallery.frame_sheet(portraits, figures, seed),
        }[topic]()
    write_picture(out, picture)


def overview(portraits: Pool, figures: Pool, seed: int) -> ByteArray:
    """24 landmark crops and 16 detector frames with their labels."""
    crops, frames = [], []
    for i in range(24):
        rng = np.random.default_rng((seed, 1, i))
        view = landmark_view(portraits.layer(int(rng.integers(len(portraits)))), rng)
        crops.append(dotted(view.image, view.points, view.weight))
    for i in range(16):
        frame = compose_frame(portraits, figures, np.random.default_rng((seed, 2, i)))
        frames.append(boxed(*detector_view(frame), frame.ignore))
    rows = [("landmark crops" if i == 0 else "", crops[i : i + 8]) for i in range(0, 24, 8)]
    rows += [("detector frames" if i == 0 else "", frames[i : i + 8]) for i in range(0, 16, 8)]
    return sheet(rows, 200, 1)


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
    paste(scene, layer, scale, origin, rng, FrameConfig().body_uneven_k)
    scene = cv2.GaussianBlur(scene, (0, 0), 0.7) + rng.normal(0, 0.04, scene.shape)
    out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out), np.round((scene + 273.15) * 100).astype(np.uint16))


def write_gate(pool: Path, out: Path, seed: int) -> None:
    """`landmarks.npz` and `detector.npz`: fixed, labelled crops and frames of everybody in `pool`,
    which no training may ever see."""
    portraits, figures = Pool(pool, "portrait"), Pool(pool, "figure")
    views = []
    for i in range(GATE_CROPS):
        rng = np.random.default_rng((seed, 4, i))
        layer = portraits.layer(int(rng.integers(len(portraits))))
        views.append(landmark_view(layer, rng, beside=neighbour(portraits, rng, DEFAULT.view)))
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
