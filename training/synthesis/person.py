"""One person, rendered: a temperature layer with 68 landmarks. Deterministic by seed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.entities import ByteArray, FloatArray
from training.synthesis import dressing
from training.synthesis.body import add_body
from training.synthesis.config import PERSON
from training.synthesis.config.knobs import log_uniform
from training.synthesis.config.person import PersonConfig
from training.synthesis.facts import PersonFacts
from training.synthesis.hair import add_beard, add_hair
from training.synthesis.head import HeadModel
from training.synthesis.headwear import add_glasses, add_headwear, add_mask
from training.synthesis.pose import PosedHead, pose_head, sample_pose, sample_shape
from training.synthesis.rasterizer import Canvas
from training.synthesis.rgb import Dressed, paint_person
from training.synthesis.thermal import Anatomy, apparent, passing

COLOUR_DRAWS = 1_000  # added to a person's seed: colours have a generator of their own


@dataclass(frozen=True)
class LayerPlan:
    """Size of the layer in pixels, the face's size range in it (sqrt(w * h) of the landmark box,
    frontal), and where down the layer the head's middle lies (0-1)."""

    height: int
    width: int
    face_pixels: tuple[float, float]
    head_at: float


PORTRAIT = LayerPlan(320, 320, (98.0, 138.0), 0.50)
FIGURE = LayerPlan(352, 288, (42.0, 62.0), 0.24)


@dataclass(frozen=True)
class Person:
    """temperature float32 [H, W] apparent degrees Celsius; cover bool [H, W]: where the person is;
    landmarks float32 [68, 2] pixels; rgb uint8 [H, W, 3] as `rgb.encode_colour` codes it, if
    asked for."""

    temperature: FloatArray
    cover: NDArray[np.bool_]
    landmarks: FloatArray
    facts: PersonFacts
    rgb: ByteArray | None = None


def sample_ambient(rng: np.random.Generator, config: PersonConfig = PERSON) -> float:
    """Air temperature in degrees Celsius: mostly rooms, sometimes winter or a hot street."""
    if rng.random() < config.room_chance:
        return float(rng.normal(config.room_mean_c, config.room_spread_k))
    return float(rng.uniform(*config.outdoor_c))


def render_person(
    head: HeadModel, anatomy: Anatomy, seed: tuple[int, ...], plan: LayerPlan, away: float = 0.0,
    config: PersonConfig = PERSON, rgb: bool = False,
) -> Person:  # fmt: skip
    """Draw one random person. away: the chance of being seen from behind; rgb: in colour too, which
    leaves all else as it is."""
    rng = np.random.default_rng(seed)
    turned_away = bool(rng.random() < away)
    pose = sample_pose(rng, config.pose, turned_away)
    shaped = sample_shape(head, rng, config.shape)
    jitter = rng.normal(0, 0.02, 2)
    centre = plan.width * (0.5 + jitter[0]), plan.height * (plan.head_at + jitter[1])
    face_pixels, size = log_uniform(plan.face_pixels, rng), (plan.height, plan.width)
    posed = pose_head(head, shaped, pose, rng, config.pose, face_pixels, size, centre)
    colour_rng = np.random.default_rng((*seed, COLOUR_DRAWS)) if rgb else None
    return dress(head, anatomy, shaped, posed, rng, config, turned_away, colour_rng)


def dress(
    head: HeadModel, anatomy: Anatomy, shaped: FloatArray, posed: PosedHead,
    rng: np.random.Generator, config: PersonConfig, away: bool = False,
    colour_rng: np.random.Generator | None = None, anchored: bool = False,
) -> Person:  # fmt: skip
    """Skin, clothes, hair and all that is worn, drawn on a posed head.

    shaped [V, 3]: the head before it was turned. What is drawn from `rng`, and how often, does not
    depend on the pose: the same generator dresses the same person in the next frame, with patterns
    that turn with the head if they are `anchored`. colour_rng: in colour too.
    """
    ambient = sample_ambient(rng, config)
    cooled = rng.uniform(*config.cooled_k) if rng.random() < config.cooled_chance else 0.0
    skin = anatomy.skin(ambient - cooled, rng, config.skin)
    canvas = Canvas(*posed.size, dressing.CHANNELS)
    reflected = ambient + rng.normal(0, config.skin.reflected_k)
    emissivity = float(rng.normal(config.skin.emissivity, config.skin.emissivity_spread))
    share = passing(posed.image, posed.scale)
    seen = apparent(skin, posed.cosine, reflected, emissivity, share)
    attributes = np.column_stack([head.neutral, seen]).astype(np.float32)
    canvas.draw(posed.image, head.triangles, attributes, dressing.SKIN)
    mean = float(np.median(skin))
    wearer = dressing.Wearer(head, shaped, posed, ambient, mean, anchored)
    beard = add_beard(canvas, wearer, rng, config.hair)
    add_body(canvas, wearer, rng, config.body)
    mask = add_mask(canvas, wearer, rng, config.worn)
    fringe = add_hair(canvas, wearer, rng, config.hair)
    headwear = add_headwear(canvas, wearer, rng, config.worn)
    without_glasses = canvas.copy() if colour_rng is not None else canvas
    glasses = add_glasses(canvas, wearer, rng, config.worn)
    colours = None
    if colour_rng is not None:
        dressed = Dressed(canvas, without_glasses, beard)
        colours = paint_person(dressed, wearer, anatomy, colour_rng, config.colour)
    return Person(
        temperature=canvas.values[..., dressing.TEMPERATURE],
        cover=canvas.owner >= 0,
        landmarks=posed.landmarks,
        facts=PersonFacts(
            posed.pose.yaw,
            posed.pose.pitch,
            posed.pose.roll,
            ambient,
            away,
            glasses=glasses,
            mask=mask,
            headwear=headwear,
            beard=beard is not None,
            fringe=fringe,
        ),  # fmt: skip
        rgb=colours,
    )
