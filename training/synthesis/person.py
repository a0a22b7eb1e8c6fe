"""One person, rendered: a temperature layer with 68 landmarks. Deterministic by seed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray
from training.synthesis import dressing
from training.synthesis.body import add_body
from training.synthesis.facts import PersonFacts
from training.synthesis.hair import add_beard, add_hair
from training.synthesis.head import HeadModel
from training.synthesis.headwear import add_glasses, add_headwear, add_mask
from training.synthesis.pose import pose_head, sample_pose, sample_shape
from training.synthesis.rasterizer import Canvas
from training.synthesis.thermal import Anatomy, apparent


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
    landmarks float32 [68, 2] pixels."""

    temperature: FloatArray
    cover: NDArray[np.bool_]
    landmarks: FloatArray
    facts: PersonFacts


def sample_ambient(rng: np.random.Generator) -> float:
    """Air temperature in degrees Celsius: mostly rooms, sometimes winter or a hot street."""
    if rng.random() < 0.65:
        return float(rng.normal(22.5, 2.5))
    return float(rng.uniform(-5.0, 36.0))


def render_person(
    head: HeadModel, anatomy: Anatomy, seed: tuple[int, ...], plan: LayerPlan, away: float = 0.0
) -> Person:
    """Draw one random person. away: the chance of being seen from behind."""
    rng = np.random.default_rng(seed)
    turned_away = bool(rng.random() < away)
    pose = sample_pose(rng, turned_away)
    shaped = sample_shape(head, rng)
    jitter = rng.normal(0, 0.02, 2)
    centre = plan.width * (0.5 + jitter[0]), plan.height * (plan.head_at + jitter[1])
    face_pixels = float(np.exp(rng.uniform(*np.log(plan.face_pixels))))
    posed = pose_head(head, shaped, pose, rng, face_pixels, (plan.height, plan.width), centre)

    ambient = sample_ambient(rng)
    skin = anatomy.skin(ambient, rng)
    canvas = Canvas(plan.height, plan.width, dressing.CHANNELS)
    reflected = ambient + rng.normal(0, 1.5)
    seen = apparent(skin, posed.cosine, reflected, float(rng.normal(0.975, 0.006)))
    attributes = np.column_stack([head.neutral, seen]).astype(np.float32)
    canvas.draw(posed.image, head.triangles, attributes, dressing.SKIN)
    wearer = dressing.Wearer(head, shaped, posed, ambient, float(np.median(skin)))
    beard = add_beard(canvas, wearer, rng)
    add_body(canvas, wearer, rng)
    mask = add_mask(canvas, wearer, rng)
    fringe = add_hair(canvas, wearer, rng)
    headwear = add_headwear(canvas, wearer, rng)
    glasses = add_glasses(canvas, wearer, rng)
    return Person(
        temperature=canvas.values[..., dressing.TEMPERATURE],
        cover=canvas.owner >= 0,
        landmarks=posed.landmarks,
        facts=PersonFacts(
            pose.yaw,
            pose.pitch,
            pose.roll,
            ambient,
            turned_away,
            glasses=glasses,
            mask=mask,
            headwear=headwear,
            beard=beard,
            fringe=fringe,
        ),  # fmt: skip
    )
