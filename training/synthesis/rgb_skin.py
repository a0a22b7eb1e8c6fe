"""Colours of a head: skin and its regions, eyes, brows, hair. Linear R, G, B."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from service.entities import FloatArray
from training.synthesis.config.knobs import pick
from training.synthesis.config.rgb import ColourConfig
from training.synthesis.dressing import Wearer
from training.synthesis.fields import image_noise, smoothstep
from training.synthesis.rasterizer import Canvas
from training.synthesis.thermal import Anatomy

# E. Monk's ten skin tones, sRGB.
TONES: Final = ("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134",
                "3a312a", "292420")  # fmt: skip
IRISES: Final = {"brown": "3d2412", "hazel": "6b5426", "green": "5c6845", "blue": "637e96",
                 "grey": "7d868c"}  # fmt: skip
HAIRS: Final = {"black": "17130f", "dark_brown": "2e1f16", "brown": "553a25", "blond": "b89763",
                "red": "8a4522", "grey": "8f8c88", "white": "d8d4cc"}  # fmt: skip
FAIR: Final = ("brown", "blond", "red")  # hair that goes with light skin
FAIR_SKIN: Final = 0.25  # linear red of the darkest such skin
COLOUR: Final = ColourConfig()
EYE_CENTRE: Final = (3.09, 3.50)  # cm, canonical x (of the left eye) and y of the eyeballs' front


def linear(code: str) -> FloatArray:
    """An sRGB colour `rrggbb` as linear R, G, B [3]."""
    bytes_ = np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)], np.float32)
    return np.asarray((bytes_ / 255) ** 2.2, np.float32)


@dataclass(frozen=True)
class Look:
    """One person's colours and habits; see `ColourConfig` for what the numbers are."""

    skin: FloatArray
    flush: float
    mottle: float
    freckles: bool
    lips: FloatArray
    lips_share: float
    brow_share: float
    iris: FloatArray
    iris_cm: float
    pupil_cm: float
    gaze: FloatArray
    hair: FloatArray
    hair_gloss: float
    gloss: float


def sample_skin(rng: np.random.Generator, config: ColourConfig = COLOUR) -> FloatArray:
    """One person's skin, linear R, G, B [3]."""
    tone = rng.uniform(*config.tone) - 1
    table = np.stack([linear(code) for code in TONES])
    skin = np.array([np.interp(tone, np.arange(len(TONES)), table[:, c]) for c in range(3)])
    # The scale's light tones are those of paper, its dark ones those of ink: skin lies between.
    skin = (0.030, 0.016, 0.010) + skin * (0.80, 0.66, 0.58)
    return np.asarray(skin * np.exp(rng.normal(0, config.tint, 3)), np.float32)


def sample_look(rng: np.random.Generator, config: ColourConfig) -> Look:
    skin = sample_skin(rng, config)
    hair_name = pick(config.hair, rng)
    if hair_name in FAIR and skin[0] < FAIR_SKIN:
        hair_name = "black"
    dyed = rng.uniform(0.01, 0.5, 3) ** 1.5
    hair = dyed if hair_name == "dyed" else linear(HAIRS[hair_name])
    painted = rng.random() < config.lipstick_chance
    natural = skin * (0.82, 0.50, 0.52)
    lipstick = np.array([rng.uniform(0.25, 0.6), rng.uniform(0.01, 0.1), rng.uniform(0.02, 0.15)])
    return Look(
        skin=skin,
        flush=rng.uniform(*config.flush),
        mottle=rng.uniform(*config.mottle),
        freckles=bool(rng.random() < config.freckles_chance),
        lips=np.asarray(lipstick if painted else natural, np.float32),
        lips_share=0.9 if painted else rng.uniform(*config.lips),
        brow_share=rng.uniform(*config.brows),
        iris=linear(IRISES[pick(config.eyes, rng)]) * np.float32(rng.uniform(0.6, 1.4)),
        iris_cm=rng.uniform(*config.iris_cm),
        pupil_cm=rng.uniform(*config.pupil_cm),
        gaze=rng.normal(0, config.gaze_cm, 2).astype(np.float32) * (1.0, 0.5),
        hair=np.asarray(hair * np.exp(rng.normal(0, 0.15, 3)), np.float32),
        hair_gloss=rng.uniform(0.01, 0.08),
        gloss=rng.uniform(*config.gloss),
    )


@dataclass(frozen=True)
class Face:
    """The head's own buffers, [H, W] or [H, W, 3]: albedo, normals (of about unit length),
    gloss (1 is usual), opening (ambient occlusion), eye (1 on eyeballs)."""

    albedo: FloatArray
    normals: FloatArray
    gloss: FloatArray
    opening: FloatArray
    eye: FloatArray


def face_colours(
    wearer: Wearer, anatomy: Anatomy, canvas: Canvas, look: Look, rng: np.random.Generator
) -> Face:
    """Draw the head once more, with colours and normals in place of temperatures."""
    head, posed = wearer.head, wearer.posed
    maps = dict(zip(anatomy.names, anatomy.maps, strict=True))
    albedo = _vertex_albedo(anatomy, maps, look, rng)
    eye = head.of_region("eyeball_left", "eyeball_right")
    gloss = 1 + 1.2 * maps["nose_tip"] + 0.5 * maps["glabella"] + 1.5 * maps["lips"]
    gloss[head.of_region("teeth", "gums_tongue")] = 3.0
    opening = 1 - 0.10 * np.clip(maps["concave_middle"], 0, 2.5)
    opening -= 0.10 * np.clip(maps["concave_fine"], 0, 2.5) + 0.3 * maps["nostrils"]
    opening = np.clip(opening - 0.45 * maps["mouth_inside"] - 0.3 * eye, 0.15, 1)
    attributes = np.column_stack([albedo, posed.normals, gloss, opening, eye])
    layer = Canvas(*posed.size, attributes.shape[1])
    layer.draw(posed.image, head.triangles, attributes.astype(np.float32), 0)
    values = layer.values
    face = Face(values[..., :3], values[..., 3:6], values[..., 6], values[..., 7], values[..., 8])
    _paint_eyes(face, canvas, look)
    _paint_brows(face, canvas, maps, wearer, look, rng)
    return face


def _vertex_albedo(
    anatomy: Anatomy, maps: dict[str, FloatArray], look: Look, rng: np.random.Generator
) -> FloatArray:
    """Colours of the vertices [V, 3], without brows and irises, which are finer than the mesh."""
    uneven = sum(
        rng.normal(0, 1) * bank[rng.integers(len(bank))]
        for bank in (anatomy.coarse, anatomy.middle, anatomy.fine)
    )
    albedo = look.skin * np.exp(np.float32(look.mottle) * uneven)[:, None]
    red = maps["cheeks"] + 0.7 * maps["nose_tip"] + 0.6 * maps["ears"] + 0.5 * maps["inner_canthi"]
    albedo *= 1 - np.float32(look.flush) * red[:, None] * np.array([0.02, 0.16, 0.14], np.float32)
    dark = 0.10 * maps["orbits"] + 0.10 * maps["nasolabial"]
    albedo *= 1 - np.clip(dark, 0, 0.5)[:, None]
    if look.freckles:
        spots = anatomy.fine[rng.integers(len(anatomy.fine))] > rng.uniform(1.2, 2.0)
        albedo *= 1 - 0.3 * (spots * (maps["cheeks"] + 0.4))[:, None]
    _blend(albedo, look.lips, look.lips_share * smoothstep(0.35, 0.75, maps["lips"]))
    _blend(albedo, 0.25 * look.lips, smoothstep(0.5, 0.9, maps["lip_line"]))
    _blend(albedo, 0.2 * look.skin, 0.7 * smoothstep(0.55, 1.0, maps["nostrils"]))
    lash = 0.65 * smoothstep(0.35, 0.95, maps["lid_line"])
    _blend(albedo, 0.15 * look.hair + 0.02, lash)
    _blend(albedo, np.array([0.25, 0.05, 0.05]), maps["mouth_inside"])
    _blend(albedo, np.array([0.72, 0.68, 0.55]) * rng.uniform(0.7, 1.1), maps["teeth"])
    _blend(albedo, np.array([0.58, 0.54, 0.52]) * rng.uniform(0.8, 1.1), maps["eyeballs"])
    return np.asarray(albedo, np.float32)


def _blend(albedo: FloatArray, colour: FloatArray, share: FloatArray) -> None:
    albedo += share[:, None] * (np.asarray(colour, np.float32) - albedo)


def _paint_eyes(face: Face, canvas: Canvas, look: Look) -> None:
    """Iris, its dark ring, and pupil, in place; each eye has its own middle."""
    rows, columns = np.nonzero(face.eye > 0.5)
    if not len(rows):
        return
    x, y = canvas.values[rows, columns, 0], canvas.values[rows, columns, 1]
    across = x - np.sign(x) * EYE_CENTRE[0] - look.gaze[0]
    up = y - EYE_CENTRE[1] - look.gaze[1]
    away = np.hypot(across, up)
    soft = 0.06
    iris = smoothstep(look.iris_cm + soft, look.iris_cm - soft, away)
    ring = 1 - 0.65 * smoothstep(0.75, 1.0, away / look.iris_cm)
    pupil = smoothstep(look.pupil_cm + soft, look.pupil_cm - soft, away)
    colour = look.iris * ring[:, None] * (1 - pupil)[:, None] + 0.008
    white = face.albedo[rows, columns]
    # The upper lid shades the eye, and its corners are redder.
    white = white * (1 - 0.35 * smoothstep(0.1, 0.6, up))[:, None]
    white = white * (1 - smoothstep(0.7, 1.4, np.abs(across))[:, None] * (0.05, 0.25, 0.25))
    face.albedo[rows, columns] = white + iris[:, None] * (colour - white)


def _paint_brows(
    face: Face, canvas: Canvas, maps: dict[str, FloatArray], wearer: Wearer, look: Look,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Brows of single hairs along the line of their landmarks, in canonical coordinates."""
    points = wearer.head.neutral[wearer.head.landmarks[17:27]]
    order = np.argsort(points[:5, 0])
    x_line, y_line = np.abs(points[:5, 0])[order][::-1], points[:5, 1][order][::-1]
    places = canvas.values[..., :3]
    x, y = np.abs(places[..., 0]), places[..., 1]
    near = (canvas.owner == 0) & (places[..., 2] > 0) & (np.abs(y - y_line.mean()) < 2.2) & (x < 8)
    rows, columns = np.nonzero(near)
    along, up = x[rows, columns], y[rows, columns]
    line = np.interp(along, x_line, y_line)
    # Thicker at the nose, pointed at the temple.
    inner, outer = x_line[0], x_line[-1]
    part = np.clip((along - inner) / (outer - inner), 0, 1)
    thick = rng.uniform(0.28, 0.52) * (1 - 0.65 * part**1.5)
    hairs = image_noise(*wearer.posed.size, rng.uniform(70, 130), rng)[rows, columns]
    share = smoothstep(1.15, 0.6, np.abs(up - line) / thick + 0.15 * hairs)
    share *= smoothstep(inner - 0.35, inner + 0.1, along) * smoothstep(outer + 0.4, outer, along)
    share = share * look.brow_share * np.clip(0.9 + 0.25 * hairs, 0, 1)
    albedo = face.albedo[rows, columns]
    dark = np.minimum(0.8 * look.hair, 0.4 * look.skin)  # grey and blond ones are darker than skin
    face.albedo[rows, columns] = albedo + share[:, None] * (dark - albedo)


def hair_colours(
    look: Look, size: tuple[int, int], rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Albedo of hair [H, W, 3], and its strands [H, W], of about unit deviation."""
    height, width = size
    coarse = rng.normal(0, 1, (height // 16, width // 2)).astype(np.float32)
    streaks = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    strands = 0.6 * streaks + 0.4 * image_noise(height, width, rng.uniform(60, 140), rng)
    strands += 0.4 * image_noise(height, width, rng.uniform(10, 30), rng)
    shades = np.exp(np.float32(rng.uniform(0.12, 0.35)) * strands)
    return np.asarray(look.hair * shades[..., None], np.float32), np.asarray(strands, np.float32)
