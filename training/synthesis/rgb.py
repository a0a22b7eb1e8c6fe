"""A rendered person in colour, from the very buffers that hold the temperatures.

Every pixel keeps its owner (skin, hair, cloth ...) and its place on the head: colours, light and
shadow are made from these, so that both pictures have one outline. Colours are linear R, G, B
until they are coded for the pool. No draw of the thermal picture depends on one made here.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from service.entities import ByteArray, FloatArray
from training.synthesis import dressing
from training.synthesis.config.rgb import ColourConfig
from training.synthesis.dressing import Wearer
from training.synthesis.fields import image_noise, smoothstep
from training.synthesis.rasterizer import Canvas
from training.synthesis.rgb_cloth import paint_clothes
from training.synthesis.rgb_light import (
    Lights,
    cast_shadows,
    hollows,
    sample_lights,
    shade,
    surface_normals,
    unit,
)
from training.synthesis.rgb_skin import Face, Look, face_colours, hair_colours, sample_look
from training.synthesis.thermal import Anatomy

GAMMA: Final = 2.2
WHITE: Final = 2.0  # linear value that the pool's 255 stands for
_LINEAR: Final = (WHITE * (np.arange(256) / 255) ** GAMMA).astype(np.float32)
SHARP_SKIN, SHARP_HAIR, SHARP_CLOTH, SHARP_EYE = 26.0, 10.0, 6.0, 220.0  # of highlights


@dataclass(frozen=True)
class Dressed:
    """What the renderer knows of a person once all is drawn: the canvas, the one before glasses
    went on, and how much beard covers each pixel [H, W], if any."""

    canvas: Canvas
    without_glasses: Canvas
    beard: FloatArray | None


def encode_colour(linear: FloatArray) -> ByteArray:
    """Linear values, 0 to `WHITE`, to the pool's bytes."""
    return np.asarray(255 * np.clip(linear / WHITE, 0, 1) ** (1 / GAMMA) + 0.5, np.uint8)


def decode_colour(coded: ByteArray) -> FloatArray:
    """The pool's bytes [H, W, 3] or [N, 3] to linear values, float32."""
    return np.asarray(cv2.LUT(np.ascontiguousarray(coded), _LINEAR), np.float32)


def paint_person(
    dressed: Dressed,
    wearer: Wearer,
    anatomy: Anatomy,
    rng: np.random.Generator,
    config: ColourConfig,
) -> ByteArray:
    """The person in colour, uint8 [H, W, 3] R, G, B, coded; 0 where nobody is."""
    look, lights = sample_look(rng, config), sample_lights(rng, config)
    base = dressed.without_glasses
    rows, columns = np.nonzero(base.owner >= 0)
    owner = base.owner[rows, columns]
    height, width = base.owner.shape
    face = face_colours(wearer, anatomy, base, look, rng)
    albedo = np.zeros((height, width, 3), np.float32)
    albedo[...] = look.skin * (1 + 0.05 * image_noise(height, width, 12, rng))[..., None]
    on_head = base.owner == dressing.SKIN
    albedo[on_head] = face.albedo[on_head]
    hair, strands = hair_colours(look, (height, width), rng)
    if dressed.beard is not None:
        bristly = np.nonzero(dressed.beard * on_head > 0)
        bristles = 0.6 * strands + 0.6 * image_noise(height, width, 160, rng)
        share = dressed.beard[bristly] * np.clip(0.78 + 0.13 * bristles[bristly], 0, 0.95)
        dark = np.minimum(0.8 * hair[bristly], 0.75 * look.skin)
        albedo[bristly] += share[:, None] * (dark - albedo[bristly])
    hairy = base.owner == dressing.HAIR
    albedo[hairy] = hair[hairy]
    # Hairlines are not cut out: single hairs lie on the skin beside them.
    soft = cv2.GaussianBlur(hairy.astype(np.float32), (0, 0), 1.8)
    beside = np.nonzero((soft > 0.02) & on_head)
    share = np.clip(soft[beside] * (1.5 + 0.8 * strands[beside]), 0, 1)[:, None]
    albedo[beside] += share * (hair[beside] - albedo[beside])
    paint_clothes(albedo, base, rng)
    lit = _lit(base, face, wearer, look, lights, (rows, columns), owner, albedo)
    picture = np.zeros((height, width, 3), np.float32)
    picture[rows, columns] = lit
    _wear_glasses(picture, dressed, lights, rng, config)
    covered = dressed.canvas.owner >= 0
    coded = np.zeros((height, width, 3), np.uint8)
    coded[covered] = encode_colour(picture[covered])
    return coded


def _lit(
    base: Canvas, face: Face, wearer: Wearer, look: Look, lights: Lights,
    places: tuple[np.ndarray, np.ndarray], owner: np.ndarray, albedo: FloatArray,
) -> FloatArray:  # fmt: skip
    """Linear R, G, B [P, 3] of the covered pixels `places`."""
    scale = wearer.posed.scale
    skin = (owner == dressing.SKIN).astype(np.float32)
    normals = surface_normals(base.depth, scale)[places]
    normals = unit(np.where(skin[:, None] > 0, face.normals[places], normals))
    opening = hollows(base.depth, scale)[places]
    opening *= np.where(skin > 0, face.opening[places], 1.0)
    arriving = cast_shadows(base.depth, scale, lights.key)[places]
    gloss = np.where(skin > 0, look.gloss * face.gloss[places], 0.02)
    sharpness = np.where(skin > 0, SHARP_SKIN, SHARP_CLOTH)
    hairy = owner == dressing.HAIR
    gloss[hairy], sharpness[hairy] = look.hair_gloss, SHARP_HAIR
    eye = face.eye[places] * skin > 0.5
    gloss[eye], sharpness[eye] = 1.2, SHARP_EYE
    skin = skin + 0.6 * (owner == dressing.BARE)
    return shade(
        lights, albedo[places], normals, gloss.astype(np.float32), sharpness.astype(np.float32),
        opening, arriving, skin.astype(np.float32),
    )  # fmt: skip


def _wear_glasses(
    picture: FloatArray, dressed: Dressed, lights: Lights, rng: np.random.Generator,
    config: ColourConfig,
) -> None:  # fmt: skip
    """Rims, and lenses that let the eyes be seen, or not. In place."""
    canvas = dressed.canvas
    clear = rng.random() < config.clear_chance
    taken = rng.uniform(*(config.clear_share if clear else config.dark_share))
    mirror, width = rng.uniform(*config.mirror), rng.uniform(*config.rim)
    tint = rng.uniform(0.3, 1.0, 3).astype(np.float32)
    frame = rng.choice([0.02, 0.05, 0.15, 0.4]) * rng.uniform(0.4, 1.0, 3).astype(np.float32)
    stripe = np.sin(rng.uniform(0, 6) + rng.uniform(1, 4) * np.arange(2))
    lens, rim = canvas.owner == dressing.LENS, canvas.owner == dressing.RIM
    if not (lens.any() or rim.any()):
        return
    light = lights.ambient + 0.5 * (lights.key_colour + lights.fill_colour)
    within = canvas.values[..., :2]
    edge = lens & (np.abs(within).max(axis=2) > 1 - width)
    picture[edge | rim] = frame * light
    inside = lens & ~edge
    u, v = within[inside, 0], within[inside, 1]
    through = picture[inside] * (1 - taken * (1 if not clear else tint))
    # The sky, brighter at the top, and a lamp's streak.
    sky = mirror * smoothstep(-0.8, 1.2, v + 0.4 * u)
    streak = np.exp(-(((u * stripe[0] + v - 0.6 * stripe[1]) / 0.18) ** 2))
    seen = sky * 0.5 + mirror * streak
    picture[inside] = through + (seen * (0.35 if clear else 0.8))[:, None] * light
