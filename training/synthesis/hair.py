"""Hair and beards."""

import numpy as np

from service.entities import FloatArray
from training.synthesis.config.knobs import log_uniform, pick
from training.synthesis.config.person import HairConfig
from training.synthesis.dressing import (
    HAIR,
    SKIN,
    TEMPERATURE,
    Wearer,
    azimuth,
    draw_sheet,
    draw_shell,
    material,
    stuck,
)
from training.synthesis.fields import image_noise, smoothstep
from training.synthesis.rasterizer import Canvas

# Height of the hairline (cm) at azimuths 0, 35, 60, 78, 100, 140, 180 degrees.
HAIRLINES: dict[str, tuple[float, ...]] = {
    "short": (9.8, 9.2, 6.5, 1.5, 0.0, -5.0, -6.0),
    "receding": (12.6, 11.5, 9.0, 3.0, 0.5, -4.5, -5.5),
    "crown_bald": (20.0, 20.0, 20.0, 3.5, 1.0, -4.5, -5.5),
    "fringe": (6.2, 6.4, 5.5, 0.5, -3.0, -6.0, -7.0),
    "low_fringe": (4.7, 5.0, 4.6, 0.5, -3.0, -6.0, -7.0),
    "parted": (9.5, 7.0, 4.0, -2.0, -5.0, -8.0, -9.0),
    "long": (9.3, 8.3, 5.0, -4.0, -13.0, -16.0, -17.0),
    "long_fringe": (5.6, 5.6, 3.5, -5.0, -13.0, -16.0, -17.0),
}
FRINGES = ("fringe", "low_fringe", "long_fringe")
_AZIMUTHS = (0.0, 35.0, 60.0, 78.0, 100.0, 140.0, 180.0)


def add_hair(canvas: Canvas, wearer: Wearer, rng: np.random.Generator, config: HairConfig) -> bool:
    """Returns whether hair reaches the brows."""
    style = pick(config.styles, rng)
    if style == "none":
        return False
    head = wearer.head
    line = np.array(HAIRLINES[style]) + rng.normal(0, 0.5)
    long = style in ("parted", "long", "long_fringe")
    skin = head.of_region("face", "head_neck")
    height = head.neutral[:, 1] - np.interp(azimuth(head.neutral), _AZIMUTHS, line)
    thickness = rng.uniform(*config.long_cm) if long else log_uniform(config.short_cm, rng)
    if style in FRINGES:
        thickness = max(thickness, 0.5)
    grown = np.where(skin, 0.05 + thickness * smoothstep(-1.0, 2.5, height), 0.0)
    cover, drawn = draw_shell(wearer, grown.astype(np.float32), HAIR)
    canonical = cover.values[..., :3]
    size = wearer.posed.size
    strands = rng.uniform(0.3, 1.0) * image_noise(*size, rng.uniform(10, 40), rng)
    if rng.random() < config.locks_chance:  # locks that hang deeper here and there
        strands += rng.uniform(0.5, 1.6) * image_noise(*size, rng.uniform(6, 20), rng)
    strands = stuck(wearer, strands, canonical)
    above = canonical[..., 1] - np.interp(azimuth(canonical), _AZIMUTHS, line) + strands
    if style in FRINGES or style == "parted":  # swept to one side
        above += rng.normal(0, 0.15) * canonical[..., 0]
    if not long:  # ears stay free
        above[(np.abs(canonical[..., 0]) > 7.5) & (canonical[..., 1] < 5.0)] = -1.0
    shaded = rng.random() < 1 - config.sun_chance
    share = rng.uniform(*config.share) if shaded else rng.uniform(*config.sun_share)
    field = stuck(wearer, material(wearer, share, rng, rng.uniform(0.4, 1.4)), canonical)
    # Thin hair at the hairline lets the warm skin through.
    thin = 1 - smoothstep(0.0, rng.uniform(0.3, 2.5), above)
    field = field + thin * rng.uniform(0.1, 0.7) * (wearer.skin - field)
    cover.values[..., TEMPERATURE] = field
    canvas.merge(cover, drawn & (above > 0))
    if style in ("long", "long_fringe"):
        _add_curtain(canvas, wearer, share, rng)
    if rng.random() < config.bun_chance:
        _add_bun(canvas, wearer, share, rng)
    return style in FRINGES


def _add_curtain(canvas: Canvas, wearer: Wearer, share: float, rng: np.random.Generator) -> None:
    """Long hair hanging beside and behind the face: an elliptical cylinder open in front."""
    front = rng.uniform(48, 85)
    angles = np.deg2rad(np.linspace(front, 360 - front, 40))
    heights = np.linspace(9.0, rng.uniform(-22, -9), 16)
    ragged = rng.normal(0, 0.35, (len(heights), len(angles)))
    radius_x, radius_z = rng.uniform(8.4, 9.6), rng.uniform(9.0, 10.0)
    x = np.sin(angles)[None] * radius_x + ragged
    z = np.cos(angles)[None] * radius_z - 0.5 + ragged
    taper = np.interp(heights, [-20, 2, 9], [1.05, 1.0, 0.72])[:, None]
    points = np.stack([x * taper, np.broadcast_to(heights[:, None], x.shape), z * taper], axis=2)
    draw_sheet(canvas, wearer, points, material(wearer, share, rng, 1.0), HAIR)


def _add_bun(canvas: Canvas, wearer: Wearer, share: float, rng: np.random.Generator) -> None:
    centre = np.array([rng.normal(0, 1), rng.uniform(13.5, 16.0), rng.uniform(-6, 2)])
    u, v = np.meshgrid(np.linspace(0, 2 * np.pi, 16), np.linspace(-np.pi / 2, np.pi / 2, 10))
    ball = np.stack([np.cos(u) * np.cos(v), np.sin(v), np.sin(u) * np.cos(v)], axis=2)
    points = centre + ball * rng.uniform(1.8, 3.2)
    draw_sheet(canvas, wearer, points, material(wearer, share, rng, 1.0), HAIR)


def add_beard(
    canvas: Canvas, wearer: Wearer, rng: np.random.Generator, config: HairConfig
) -> FloatArray | None:
    """Full beard, goatee, moustache or stubble: cooler skin and hair, in place (no geometry).

    Returns how much hair covers each pixel, 0 to 1 [H, W], or None where there is no beard.
    """
    kind = pick(config.beards, rng)
    if kind == "none":
        return None
    x, y = np.abs(canvas.values[..., 0]), canvas.values[..., 1]
    canonical = canvas.values[..., :3]
    noise = stuck(
        wearer, 0.4 * image_noise(*wearer.posed.size, rng.uniform(15, 50), rng), canonical
    )
    # What stays free of hair: all of the lips, or only their middle, or next to nothing.
    lips = (x / rng.uniform(1.2, 2.7)) ** 2 + ((y + 3.6) / rng.uniform(0.3, 1.1)) ** 2 - 1.0
    lower = -rng.uniform(2.6, 3.6) - rng.uniform(0.0, 0.6) * np.maximum(x - 1.5, 0.0)
    moustache = np.minimum.reduce([y - lower, -1.25 - y, rng.uniform(2.2, 3.8) - x])
    if kind in ("full", "stubble"):
        cheek = np.interp(x, [0, 3.0, 7.0], [-1.6, -2.2 + rng.normal(0, 0.8), rng.uniform(0, 4)])
        cover = np.minimum(cheek - y, y + rng.uniform(9.0, 12.0))
    elif kind == "goatee":
        cover = np.minimum(rng.uniform(2.0, 3.4) - x, np.minimum(-1.6 - y, y + 9.0))
        bare = rng.choice([-9.0, -5.2, -2.9], p=[0.4, 0.25, 0.35])  # only the chin, or more
        cover = np.where(y > bare, -1.0, cover) if bare > -9.0 else cover
    else:
        cover = moustache
    if kind in ("full", "goatee") and rng.random() < config.moustache_chance:
        cover = np.maximum(cover, moustache)
    cover = np.minimum(cover + noise, lips * 1.5)
    cover = np.minimum(cover, (78.0 - azimuth(canvas.values[..., :3])) / 8.0)
    amount = smoothstep(0.0, rng.uniform(0.3, 2.0), np.asarray(cover, np.float32))
    amount *= (canvas.owner == SKIN) & (canvas.values[..., 2] > 0)
    drop = rng.uniform(*(config.stubble_drop if kind == "stubble" else config.beard_drop))
    temperature = canvas.values[..., TEMPERATURE]
    cool = wearer.ambient + (1 - drop) * (temperature - wearer.ambient) + 0.3 * noise
    if rng.random() < config.hairs_chance:  # single hairs
        fine = stuck(wearer, image_noise(*wearer.posed.size, rng.uniform(60, 140), rng), canonical)
        cool += rng.uniform(0.02, 0.10) * drop * (wearer.skin - wearer.ambient) * fine
    canvas.values[..., TEMPERATURE] = temperature + amount * (cool - temperature)
    return np.asarray(amount, np.float32)
