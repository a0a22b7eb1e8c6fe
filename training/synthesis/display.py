"""What happens to a camera's grey picture on its way into a file: size, marks, colours, codecs."""

import cv2
import numpy as np

from service.entities import ByteArray, FloatArray
from service.imaging.palettes import best_palette, invert_palette, palette_tables
from training.synthesis.config.camera import CameraConfig
from training.synthesis.config.knobs import pick
from training.synthesis.fields import image_noise

LARGEST = 640  # pixels a side that enlarged pictures have at most
FIT_PIXELS = 200  # of a picture that tell which palette it has; serving takes 600
WORDS = ("FLIR", "REC", "AUTO", "e=0.95", "C", "Spot", "MAX", "12:34:56", "IR", "CAM 2")


def show(
    grey: ByteArray, rng: np.random.Generator, camera: CameraConfig
) -> tuple[FloatArray, tuple[float, float]]:
    """Grey levels [H, W] as read back from the camera's file, and their scale (x, y)."""
    height, width = grey.shape
    if rng.random() < camera.upscale_chance:
        grey = _upscale(grey, rng, camera)
    scale = grey.shape[1] / width, grey.shape[0] / height
    marked = rng.random() < camera.overlay_chance
    if rng.random() < camera.palette_chance:
        return _false_colours(grey, rng, camera, marked), scale
    if marked:
        _overlay(grey, 255 if rng.random() < 0.6 else 0, rng, camera)
    return _compress(grey, rng, camera).astype(np.float32), scale


def _upscale(grey: ByteArray, rng: np.random.Generator, camera: CameraConfig) -> ByteArray:
    zoom = min(rng.uniform(*camera.upscale), LARGEST / max(grey.shape))
    if zoom <= 1:
        return grey
    size = round(grey.shape[1] * zoom), round(grey.shape[0] * zoom)
    return _enlarged(grey, size, rng.random())


def _enlarged(grey: ByteArray, size: tuple[int, int], draw: float) -> ByteArray:
    """To `size` (width, height); draw: 0 to 1, says how."""
    # Not INTER_NEAREST, which moves the picture by up to half a pixel against its labels.
    nearest = cv2.INTER_NEAREST_EXACT
    kind = cv2.INTER_LINEAR if draw < 0.5 else cv2.INTER_CUBIC if draw < 0.9 else nearest
    return np.asarray(cv2.resize(grey, size, interpolation=kind), np.uint8)


def _false_colours(
    grey: ByteArray, rng: np.random.Generator, camera: CameraConfig, marked: bool
) -> FloatArray:
    """Through a palette and back by the way serving takes, marks and codec between."""
    tables = palette_tables()
    table = tables[list(tables)[rng.integers(len(tables))]]
    # Makers' versions of a palette differ.
    table = table + np.float32(rng.uniform(*camera.palette_levels)) * image_noise(
        256, 3, rng.uniform(2, 6), rng
    )
    colours = np.clip(np.round(table), 0, 255).astype(np.uint8)[grey]
    if marked:
        white = [255.0] * 3
        _overlay(colours, white if rng.random() < 0.7 else [0.0, 255.0, 0.0], rng, camera)
    colours = _compress(colours, rng, camera)
    flat = colours.reshape(1, -1, 3)
    fit = best_palette(flat[:, :: max(1, flat.shape[1] // FIT_PIXELS)])
    if fit.believable:
        return invert_palette(colours, fit.curve)
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY), np.float32)


def _overlay(
    picture: ByteArray,
    level: float | list[float],
    rng: np.random.Generator,
    camera: CameraConfig,
) -> None:
    """Burnt-in text, logo box, crosshair, scale bar, spot meter, in place."""
    height, width = picture.shape[:2]
    for _ in range(rng.integers(1, 4)):
        kind = pick(camera.overlay, rng)
        if kind == "text":
            _write(picture, f"{rng.uniform(10, 45):.1f}" if rng.random() < 0.7 else
                   WORDS[rng.integers(len(WORDS))], level, rng)  # fmt: skip
        elif kind == "logo":
            _logo(picture, level, rng)
        elif kind == "crosshair":
            cv2.drawMarker(picture, (width // 2, height // 2), level, cv2.MARKER_CROSS,
                           max(5, width // int(rng.integers(8, 24))))  # fmt: skip
        elif kind == "bar":
            thick = max(2, width // 25)
            bar = np.linspace(255, 0, height, dtype=np.uint8).reshape(-1, *[1] * (picture.ndim - 1))
            picture[:, -thick:] = bar
        else:
            _spot(picture, level, rng)


def _write(
    picture: ByteArray, text: str, level: float | list[float], rng: np.random.Generator
) -> None:
    height, width = picture.shape[:2]
    where = int(rng.uniform(0, 0.8) * width), int(rng.uniform(0.05, 1.0) * height)
    size = max(0.25, height / 500) * rng.uniform(0.8, 1.6)
    cv2.putText(picture, text, where, cv2.FONT_HERSHEY_SIMPLEX, size, level, 1)


def _logo(picture: ByteArray, level: float | list[float], rng: np.random.Generator) -> None:
    """A word in a black box in a corner."""
    height, width = picture.shape[:2]
    w, h = int(width * rng.uniform(0.12, 0.3)), int(height * rng.uniform(0.06, 0.12))
    x, y = (width - w) * int(rng.integers(2)), (height - h) * int(rng.integers(2))
    cv2.rectangle(picture, (x, y), (x + w, y + h), 0, -1)
    word, place = WORDS[rng.integers(len(WORDS))], (x + 2, y + int(0.8 * h))
    cv2.putText(picture, word, place, cv2.FONT_HERSHEY_SIMPLEX, max(0.2, h / 28), level, 1)


def _spot(picture: ByteArray, level: float | list[float], rng: np.random.Generator) -> None:
    """A measured spot: circle, box or triangle, with its reading."""
    height, width = picture.shape[:2]
    x, y = int(rng.uniform(0.1, 0.9) * width), int(rng.uniform(0.1, 0.9) * height)
    radius = max(2, int(width * rng.uniform(0.012, 0.06)))
    draw = rng.random()
    if draw < 0.4:
        cv2.circle(picture, (x, y), radius, level, 1)
    elif draw < 0.7:
        cv2.rectangle(picture, (x - radius, y - radius), (x + radius, y + radius), level, 1)
    else:
        cv2.drawMarker(picture, (x, y), level, cv2.MARKER_TRIANGLE_UP, 2 * radius)
    size = max(0.25, height / 700)
    text = f"{rng.uniform(10, 45):.1f}"
    cv2.putText(picture, text, (x + radius + 1, y), cv2.FONT_HERSHEY_SIMPLEX, size, level, 1)


def _compress(picture: ByteArray, rng: np.random.Generator, camera: CameraConfig) -> ByteArray:
    """JPEG, or the blocks of a video codec behind its smoothing filter."""
    if rng.random() < camera.jpeg_chance:
        return _jpeg(picture, rng.uniform(*camera.jpeg_quality))
    if rng.random() < camera.video_chance:
        return np.asarray(cv2.medianBlur(_jpeg(picture, rng.uniform(*camera.video_quality)), 3))
    return picture


def _jpeg(picture: ByteArray, quality: float) -> ByteArray:
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), np.uint8)
