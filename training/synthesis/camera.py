"""The camera: optics, sensor noise, on-camera processing, at the sensor's own pixels."""

from dataclasses import dataclass

import cv2
import numpy as np

from service.entities import FloatArray
from training.synthesis.config import DEFAULT
from training.synthesis.config.camera import CameraConfig
from training.synthesis.config.knobs import log_uniform, pick
from training.synthesis.display import show
from training.synthesis.fields import image_noise, white_noise
from training.synthesis.gain import enhance, gain_control


@dataclass(frozen=True)
class Exposure:
    """values float32 [H', W']: degrees Celsius or grey levels 0-255; black_hot: warm is low.

    scale: (x, y) pixels of `values` for one of the scene: cameras may enlarge their picture.
    """

    values: FloatArray
    black_hot: bool
    scale: tuple[float, float] = (1.0, 1.0)

    def place(self, points: FloatArray) -> FloatArray:
        """Points [..., 2] (x, y) of the scene in pixels of `values`."""
        return np.asarray((points + 0.5) * np.array(self.scale, np.float32) - 0.5, np.float32)


@dataclass(frozen=True)
class Temporal:
    """A frame of a clip: what is new in each frame comes from `rng`, and the camera's own generator
    begins anew with every frame. fixed: its fixed pattern / temporal noise."""

    rng: np.random.Generator
    fixed: float


def expose(
    temperature: FloatArray,
    rng: np.random.Generator,
    camera: CameraConfig = DEFAULT.camera,
    pitch: float = 1.0,
    temporal: Temporal | None = None,
) -> Exposure:
    """Degrees Celsius [H, W] to what a file of that camera would hold.

    Degrees (radiometric cameras) or 0-255 grey levels after the camera's own gain control.
    pitch: pixels of the scene for one of the sensor, below 1 for sensors finer than the scene:
    blur and noise shrink with it. temporal: for one frame of a clip; else a picture by itself.
    """
    image = _optics(temperature, rng, camera, pitch)
    image = _sensor_noise(image, rng, camera, pitch, temporal)
    if rng.random() < camera.denoise_chance:
        image = _denoise(image, rng, camera)
    if rng.random() < camera.radiometric_chance:
        step = np.float32(pick(camera.radiometric_step_k, rng))
        image = np.round(image / step) * step
        negated = rng.random() < camera.radiometric_negated
        return Exposure(-image if negated else image, negated)
    grey = gain_control(image, rng, camera)
    grey = enhance(grey, rng, camera)
    black_hot = rng.random() < camera.black_hot_chance
    if black_hot:
        grey = 255.0 - grey
    values, scale = show(np.clip(grey, 0, 255).astype(np.uint8), rng, camera)
    return Exposure(values, black_hot, scale)


def _optics(
    image: FloatArray, rng: np.random.Generator, camera: CameraConfig, pitch: float = 1.0
) -> FloatArray:
    """Point spread, sometimes out of focus; sometimes motion or a ghost of the last picture."""
    defocused = rng.random() < camera.defocus_chance
    sigma = rng.uniform(*(camera.defocus_px if defocused else camera.blur_px)) * pitch
    if sigma > 0.25:  # below, the kernel is a single pixel
        side = 2 * int(np.ceil(2.5 * sigma)) + 1
        image = np.asarray(cv2.GaussianBlur(image, (side, side), sigma), np.float32)
    if rng.random() < camera.motion_chance:
        length = rng.uniform(*camera.motion_px) * pitch
        kernel = _smear(length, rng.uniform(0, 2 * np.pi), rng.random() < camera.lag_share)
        smeared = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE)
        image = np.asarray(smeared, np.float32)
    if rng.random() < camera.ghost_chance:
        moved = np.array([[1, 0, rng.normal(0, 4 * pitch)], [0, 1, rng.normal(0, 2 * pitch)]])
        size = image.shape[1], image.shape[0]
        last = cv2.warpAffine(image, moved, size, borderMode=cv2.BORDER_REPLICATE)
        image = np.asarray(image + rng.uniform(*camera.ghost_share) * (last - image), np.float32)
    return image


def _smear(length: float, angle: float, trailing: bool) -> FloatArray:
    """Kernel of a motion over `length` pixels: even, or an exponential trail.

    Its centre of mass is its middle, or the picture would move away from its labels.
    """
    along = np.linspace(0.0, 1.0, 24)
    weights = np.exp(-3.0 * along) if trailing else np.ones(24)
    weights /= weights.sum()
    along = (along - along @ weights) * length
    reach = int(np.ceil(np.abs(along).max())) + 1
    x, y = along * np.cos(angle) + reach, along * np.sin(angle) + reach
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    right, down = x - column, y - row
    for dy, dx, share in (
        (0, 0, (1 - right) * (1 - down)), (0, 1, right * (1 - down)),
        (1, 0, (1 - right) * down), (1, 1, right * down),
    ):  # fmt: skip
        np.add.at(kernel, (row + dy, column + dx), (weights * share).astype(np.float32))
    # Correlation runs the other way than motion; the trail's side is random anyway.
    return kernel


def _sensor_noise(
    image: FloatArray, rng: np.random.Generator, camera: CameraConfig, pitch: float,
    temporal: Temporal | None,
) -> FloatArray:  # fmt: skip
    """Temporal noise and fixed pattern (alike in one picture), columns, rows, drift, in kelvin."""
    height, width = image.shape
    netd = log_uniform(camera.netd_k, rng) * pitch  # averaged over pixels where they are finer
    noise = white_noise(height, width, rng)
    if temporal is not None:
        noise = np.float32(temporal.fixed) * noise + white_noise(height, width, temporal.rng)
    image = image + np.float32(netd) * noise
    columns = netd * rng.uniform(*camera.columns_netd)
    if rng.random() < camera.stripes_chance:
        columns = rng.uniform(*camera.stripes_k) * pitch
    image += np.float32(columns) * rng.standard_normal((1, width), np.float32)
    rows = netd * rng.uniform(*camera.rows_netd)
    image += np.float32(rows) * rng.standard_normal((height, 1), np.float32)
    if rng.random() < camera.shading_chance:
        image += np.float32(rng.uniform(*camera.shading_k)) * image_noise(height, width, 2.0, rng)
    if rng.random() < camera.vignette_chance:
        x = np.linspace(-1, 1, width, dtype=np.float32) ** 2
        y = np.linspace(-1, 1, height, dtype=np.float32) ** 2
        image += np.float32(rng.uniform(*camera.vignette_k) / 2) * (x[None] + y[:, None])
    if rng.random() < camera.dead_chance:
        for _ in range(int(rng.uniform(*camera.dead_pixels))):
            side = 1 if rng.random() < 0.7 else int(rng.integers(2, 4))
            row, column = rng.integers(height), rng.integers(width)
            image[row : row + side, column : column + side] += rng.normal(0, 10)
    return image


def _denoise(image: FloatArray, rng: np.random.Generator, camera: CameraConfig) -> FloatArray:
    """What cameras do against noise; skin comes out like plastic."""
    if pick(camera.denoise, rng) == "median":
        return np.asarray(cv2.medianBlur(np.ascontiguousarray(image, np.float32), 3), np.float32)
    return np.asarray(
        cv2.bilateralFilter(image, 5, rng.uniform(*camera.denoise_k), rng.uniform(1.0, 2.0)),
        np.float32,
    )
