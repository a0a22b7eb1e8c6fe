"""The camera: optics, sensor noise, on-camera gain control, compression, at its own pixels."""

import cv2
import numpy as np

from service.entities import ByteArray, FloatArray
from training.synthesis.fields import image_noise


def expose(temperature: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Degrees Celsius [H, W] at sensor resolution to what a file of that camera would hold.

    float32 [H, W]: degrees (radiometric cameras; a few negated), or 0-255 grey levels after the
    camera's own gain control, black-hot in one of ten.
    """
    image = _optics(temperature, rng)
    image = _sensor_noise(image, rng)
    if rng.random() < 0.45:
        step = np.float32(rng.choice([0.01, 0.02, 0.04, 0.1], p=[0.35, 0.3, 0.25, 0.1]))
        image = np.round(image / step) * step
        return -image if rng.random() < 0.03 else image
    grey = _gain_control(image, rng)
    if rng.random() < 0.25:
        grey = _enhance(grey, rng)
    if rng.random() < 0.10:
        grey = 255.0 - grey
    out = np.clip(grey, 0, 255).astype(np.uint8)
    if rng.random() < 0.08:
        _overlay(out, rng)
    return _compress(out, rng).astype(np.float32)


def _optics(image: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Point spread 0.3-1.3 pixels, up to 2.2 out of focus; sometimes motion."""
    sigma = rng.uniform(0.3, 1.3) if rng.random() < 0.85 else rng.uniform(1.3, 2.2)
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)
    if rng.random() < 0.12:
        length = int(rng.integers(1, 4))
        kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
        angle = rng.uniform(0, np.pi)
        dx, dy = round(np.cos(angle) * length), round(np.sin(angle) * length)
        # Through the middle to both sides, or the picture would move away from its labels.
        cv2.line(kernel, (length - dx, length - dy), (length + dx, length + dy), 1.0)
        kernel += kernel[::-1, ::-1]  # a drawn line favours one side by a pixel
        smeared = cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
        return np.asarray(smeared, np.float32)
    return image


def _sensor_noise(image: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Temporal noise (NETD), fixed pattern, columns and rows, shading, dead pixels; in kelvin."""
    height, width = image.shape
    netd = float(np.exp(rng.uniform(np.log(0.015), np.log(0.22))))
    image = image + netd * rng.standard_normal((height, width), np.float32)
    image += netd * rng.uniform(0, 0.8) * rng.standard_normal((1, width), np.float32)
    image += netd * rng.uniform(0, 0.5) * rng.standard_normal((height, 1), np.float32)
    if rng.random() < 0.4:
        image += rng.uniform(0, 0.5) * image_noise(height, width, 2.0, rng)
    if rng.random() < 0.05:
        for _ in range(rng.integers(1, 8)):
            image[rng.integers(height), rng.integers(width)] += rng.normal(0, 10)
    return image


def _gain_control(image: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Linear with tails, fixed window, plateau equalisation or CLAHE, then a random tone curve."""
    kind = rng.choice(["linear", "window", "plateau", "clahe"], p=[0.5, 0.12, 0.23, 0.15])
    if kind == "window":
        middle, span = np.percentile(image, rng.uniform(40, 95)), rng.uniform(5, 22)
        low, high = middle - span / 2, middle + span / 2
    else:
        low, high = np.percentile(image[::2, ::2], (rng.uniform(0, 3), 100 - rng.uniform(0, 3)))
    grey = np.clip((image - low) / max(float(high - low), 0.3), 0, 1)
    if kind == "plateau":
        counts, edges = np.histogram(grey, 256, (0, 1))
        limit = max(counts.mean() * np.exp(rng.uniform(0, 2.5)), 1.0)
        cumulative = np.cumsum(np.minimum(counts, limit))
        grey = np.interp(grey, edges[1:], cumulative / cumulative[-1]).astype(np.float32)
    elif kind == "clahe":
        tiles = int(rng.integers(2, 9))
        clahe = cv2.createCLAHE(rng.uniform(1, 4), (tiles, tiles))
        grey = clahe.apply((grey * 255).astype(np.uint8)).astype(np.float32) / 255
    if rng.random() < 0.4:
        grey = grey ** np.float32(np.exp(rng.normal(0, 0.4)))
    floor, ceiling = (rng.uniform(0, 40), rng.uniform(190, 255)) if rng.random() < 0.3 else (0, 255)
    return np.asarray(floor + grey * (ceiling - floor), np.float32)


def _enhance(grey: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Digital detail enhancement (unsharp) or an on-camera low-pass."""
    soft = cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.8, 2.5))
    return np.asarray(grey + rng.uniform(-0.6, 1.6) * (grey - soft), np.float32)


def _overlay(grey: ByteArray, rng: np.random.Generator) -> None:
    """Burnt-in text, crosshair or scale bar."""
    height, width = grey.shape
    level = int(rng.choice([0, 255]))
    size = max(0.25, height / 500)
    for _ in range(rng.integers(1, 4)):
        where = int(rng.uniform(0, 0.8) * width), int(rng.uniform(0.05, 1.0) * height)
        text = f"{rng.uniform(10, 45):.1f}"
        cv2.putText(grey, text, where, cv2.FONT_HERSHEY_SIMPLEX, size, level, 1)
    if rng.random() < 0.5:
        cv2.drawMarker(
            grey, (width // 2, height // 2), level, cv2.MARKER_CROSS, max(5, width // 20)
        )
    if rng.random() < 0.3:
        bar = np.linspace(255, 0, height, dtype=np.uint8)[:, None]
        grey[:, -max(2, width // 25) :] = bar


def _compress(grey: ByteArray, rng: np.random.Generator) -> ByteArray:
    if rng.random() < 0.35:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(55, 97))]
        data = cv2.imencode(".jpg", grey, quality)[1]
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    return grey
