"""Light on a rendered person: two lights, their shadows, and light from all around.

Axes are the camera's: x to the image's right, y up, z towards the camera. Colours are linear R, G,
B. Shading is Lambert's with a softer edge on skin, and Blinn's highlights.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from service.entities import FloatArray
from training.synthesis.config.knobs import log_uniform
from training.synthesis.config.rgb import ColourConfig
from training.synthesis.fields import smoothstep

# Linear R, G, B of black bodies, after M. Charity's table.
_KELVIN = (2500.0, 3000.0, 4000.0, 5000.0, 6500.0, 8000.0, 10000.0)
_BODIES = np.array(
    [[1, 0.35, 0.06], [1, 0.46, 0.15], [1, 0.64, 0.37], [1, 0.78, 0.62], [1, 0.95, 0.98],
     [0.77, 0.81, 1], [0.60, 0.71, 1]]
)  # fmt: skip
# Light scatters in skin, red furthest: how far round a surface each channel still lights it.
_WRAP = np.array([0.40, 0.20, 0.14], np.float32)
_REACH = (0.4, 0.7, 1.1, 1.6, 2.3, 3.2, 4.4, 6.0, 8.0, 10.5)  # cm, steps of the shadows' rays
_FAR = -1e4  # cm; where nobody is


@dataclass(frozen=True)
class Lights:
    """key, fill: unit vectors towards the lights [3]; *_colour, ambient: linear R, G, B [3];
    shadow: 0 to 1, depth of the key light's shadows."""

    key: FloatArray
    fill: FloatArray
    key_colour: FloatArray
    fill_colour: FloatArray
    ambient: FloatArray
    shadow: float


def black_body(kelvin: float) -> FloatArray:
    """Linear R, G, B [3] of that temperature, of luminance one."""
    logs = np.log(_KELVIN)
    colour = np.array([np.interp(np.log(kelvin), logs, _BODIES[:, c]) for c in range(3)])
    return np.asarray(colour / (colour @ [0.21, 0.72, 0.07]), np.float32)


def sample_lights(rng: np.random.Generator, config: ColourConfig) -> Lights:
    azimuth = rng.uniform(*config.key_azimuth_deg)
    key = _direction(azimuth, rng.uniform(*config.key_height_deg))
    fill = _direction(-np.sign(azimuth) * rng.uniform(20, 110), rng.uniform(-10, 50))
    colours = [black_body(log_uniform(config.light_kelvin, rng)) for _ in range(3)]
    if rng.random() < config.coloured_chance:
        hue = rng.uniform(0.05, 1.0, 3)
        colours[1] = np.asarray(hue / hue.mean(), np.float32)
    strengths = [rng.uniform(*ends) for ends in (config.key, config.fill, config.ambient)]
    lit = [np.asarray(c * s, np.float32) for c, s in zip(colours, strengths, strict=True)]
    return Lights(key, fill, lit[0], lit[1], lit[2], float(rng.uniform(*config.shadow)))


def _direction(azimuth: float, height: float) -> FloatArray:
    a, h = np.deg2rad([azimuth, height])
    return np.array([np.sin(a) * np.cos(h), np.sin(h), np.cos(a) * np.cos(h)], np.float32)


def surface_normals(depth: FloatArray, scale: float) -> FloatArray:
    """Normals [H, W, 3], of about unit length, of what a depth buffer [H, W] in cm shows, `scale`
    pixels a cm.

    Of hair, clothes and things: their meshes are coarse, so it is smoothed, at half the pixels.
    """
    small = depth[::2, ::2]
    covered = np.isfinite(small)
    near = np.where(covered, -small, np.float32(_FAR)).astype(np.float32)
    # The smaller step of both sides: none across an outline.
    across, down = np.diff(near, axis=1), np.diff(near, axis=0)
    left, right = np.pad(across, ((0, 0), (1, 0))), np.pad(across, ((0, 0), (0, 1)))
    above, below = np.pad(down, ((1, 0), (0, 0))), np.pad(down, ((0, 1), (0, 0)))
    x = np.where(np.abs(left) < np.abs(right), left, right)
    y = np.where(np.abs(above) < np.abs(below), above, below)
    steep = scale / 2
    slopes = np.stack([-x * steep, y * steep, np.ones_like(x)], axis=2)
    slopes = unit(np.clip(slopes, -4, 4)) * covered[..., None]
    smooth = cv2.GaussianBlur(slopes, (0, 0), 1.0)
    return np.asarray(cv2.resize(unit(smooth), depth.shape[::-1]), np.float32)


def unit(vectors: FloatArray) -> FloatArray:
    """Vectors [..., 3] at length one; none stay none."""
    squared = (vectors * vectors) @ np.ones(3, np.float32)
    return np.asarray(vectors / np.sqrt(np.maximum(squared, 1e-12))[..., None], np.float32)


def hollows(depth: FloatArray, scale: float) -> FloatArray:
    """Ambient occlusion [H, W], 1 in the open, from the depth buffer alone: what lies behind its
    neighbourhood is darker (T. Luft et al., Image enhancement by unsharp masking the depth
    buffer, 2006)."""
    small = depth[::2, ::2]
    covered = np.isfinite(small).astype(np.float32)
    near = np.where(covered > 0, -small, 0).astype(np.float32)
    sigma = max(0.9 * scale / 2, 0.8)
    share = cv2.GaussianBlur(covered, (0, 0), sigma)
    around = cv2.GaussianBlur(near, (0, 0), sigma) / np.maximum(share, 1e-3)
    behind = np.clip((around - near) / 1.5, 0, 1) * covered
    open_ = 1 - 0.45 * behind
    return np.asarray(cv2.resize(open_, depth.shape[::-1], interpolation=cv2.INTER_LINEAR))


def cast_shadows(depth: FloatArray, scale: float, light: FloatArray) -> FloatArray:
    """What of a distant light arrives, 0 to 1 [H, W]: rays walk over the depth buffer."""
    small = depth[::2, ::2]
    near = np.where(np.isfinite(small), -small, np.float32(_FAR)).astype(np.float32)
    zoom = scale / 2
    pad = int(np.ceil(_REACH[-1] * zoom)) + 1
    wide = np.pad(near, pad, constant_values=_FAR)
    height, width = near.shape
    hidden = np.zeros_like(near)
    for reach in _REACH:
        x = pad + round(float(reach * light[0] * zoom))
        y = pad - round(float(reach * light[1] * zoom))
        above = wide[y : y + height, x : x + width] - (near + np.float32(reach * light[2]))
        share = np.clip((above - 0.12 - 0.06 * reach) / (0.25 + 0.15 * reach), 0, 1)
        hidden = np.maximum(hidden, share * (above < 7.0))
    soft = cv2.GaussianBlur(hidden, (0, 0), 0.8)
    lit = cv2.resize(1 - soft, depth.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(lit, np.float32)


def shade(
    lights: Lights, albedo: FloatArray, normals: FloatArray, gloss: FloatArray,
    sharpness: FloatArray, opening: FloatArray, lit: FloatArray, skin: FloatArray,
) -> FloatArray:  # fmt: skip
    """Linear R, G, B [P, 3] of pixels with `albedo` and `normals` [P, 3].

    gloss, sharpness: strength and exponent of highlights [P]; opening: ambient occlusion [P]; lit:
    what of the key light arrives [P]; skin: 1 where light scatters below the surface [P].
    """
    wrap = skin[:, None] * _WRAP
    sky = (0.75 + 0.25 * normals[:, 1]) * opening
    total = albedo * sky[:, None] * lights.ambient
    arriving = 1 - lights.shadow * (1 - lit)
    for light, colour, share in (
        (lights.key, lights.key_colour, arriving),
        (lights.fill, lights.fill_colour, opening),
    ):
        cosine = normals @ light
        diffuse = np.maximum((cosine[:, None] + wrap) / (1 + wrap), 0) * share[:, None]
        half = light + np.array([0, 0, 1], np.float32)
        half = half / np.linalg.norm(half)
        mirror = np.maximum(normals @ half, 0) ** sharpness * gloss * share
        # No highlight where the light stands below the surface.
        mirror *= smoothstep(-0.1, 0.2, cosine)
        total += (albedo * diffuse + mirror[:, None]) * colour
    return np.asarray(total, np.float32)
