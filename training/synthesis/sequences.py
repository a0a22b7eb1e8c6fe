"""Clips of moving heads: persons who stay who they are, before one background, through one camera.

Deterministic by seed. Drawn once a clip: the persons, the background, the camera with its fixed
pattern and gain control. New in each frame: pose and expression, and the camera's temporal noise.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray
from training.synthesis.actors import Actor
from training.synthesis.backgrounds import background
from training.synthesis.camera import Temporal, expose
from training.synthesis.clip import Clip, Frames, save_clip
from training.synthesis.clip_events import Event, PlanError, blanked, disturb
from training.synthesis.clip_sheet import clip_sheet
from training.synthesis.config import DEFAULT, MOTION, PERSON
from training.synthesis.config.camera import CameraConfig
from training.synthesis.config.motion import MotionConfig
from training.synthesis.config.person import PersonConfig
from training.synthesis.config.scene import BackgroundConfig
from training.synthesis.fields import white_noise
from training.synthesis.head import HeadModel, load_head, procedural_head
from training.synthesis.motion import Stage, wander
from training.synthesis.pictures import write_picture
from training.synthesis.scripts import KINDS
from training.synthesis.shots import Role, shoot
from training.synthesis.thermal import Anatomy

KELVIN, CENTI = 273.15, 100.0
SHUTTER_K = 4.0  # a camera's shutter is as warm as its inside: this much above the air
SHUTTER_GREY = 120.0  # and so it looks in grey levels
# A camera that takes one clip: what it blurs and doubles by movement would have to follow it.
STILL = replace(
    DEFAULT.camera, motion_chance=0.0, ghost_chance=0.0, upscale_chance=0.0, palette_chance=0.0,
    overlay_chance=0.0, radiometric_negated=0.0, defocus_chance=0.0, stripes_chance=0.0,
    denoise_chance=0.0, blur_px=(0.5, 0.9),
)  # fmt: skip
CAMERAS: dict[str, CameraConfig] = {
    "radiometric": replace(
        STILL, radiometric_chance=1.0, radiometric_step_k={"0.01": 1.0}, netd_k=(0.03, 0.08)
    ),
    "grey": replace(STILL, radiometric_chance=0.0, netd_k=(0.03, 0.08)),
    # Optics alone, for clips to which noise is added when they are played.
    "clean": replace(
        STILL, radiometric_chance=1.0, radiometric_step_k={"0.01": 1.0}, netd_k=(1e-9, 1e-9),
        shading_chance=0.0, vignette_chance=0.0, dead_chance=0.0,
    ),
}  # fmt: skip
# Rooms; no pictures with everything else cut out, no surround as hot as skin.
ROOMS = replace(
    DEFAULT.background, scenes={"plain": 0.3, "room": 0.7}, hot_chance=0.0, lamps_chance=0.15
)
PERSON_DRAWS, SCRIPT_DRAWS, SCENE_DRAWS, CAMERA_DRAWS, NOISE_DRAWS = range(5)


@dataclass(frozen=True)
class SequencePlan:
    """What is filmed. kind: one of `KINDS`; seconds, fps > 0; width, height in pixels; camera: one
    of `CAMERAS`; pan: whether the camera slowly turns; events: what befalls the sensor. Raises
    PlanError."""

    kind: str
    seconds: float
    fps: float
    width: int
    height: int
    seed: int = 0
    camera: str = "radiometric"
    pan: bool = False
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        for name, value, known in (("kind", self.kind, KINDS), ("camera", self.camera, CAMERAS)):
            if value not in known:
                raise PlanError(f"{name}: {value} is not one of {', '.join(known)}")
        if not (self.seconds > 0 and self.fps > 0 and round(self.seconds * self.fps) >= 2):
            raise PlanError("seconds, fps: above 0, and two frames at least")
        if min(self.width, self.height) < 16:
            raise PlanError(f"size: {self.width}x{self.height} is below 16 pixels a side")


def film(
    head: HeadModel, anatomy: Anatomy, plan: SequencePlan, person: PersonConfig = PERSON,
    motion: MotionConfig = MOTION, scene: BackgroundConfig = ROOMS,
) -> Clip:  # fmt: skip
    """The clip that `plan` describes."""
    times = np.arange(round(plan.seconds * plan.fps)) / plan.fps
    rng = np.random.default_rng((plan.seed, SCRIPT_DRAWS))
    angle = np.deg2rad(rng.uniform(*motion.view_deg))
    stage = Stage(plan.width, plan.height, float(plan.width / 2 / np.tan(angle / 2)))
    motions = KINDS[plan.kind](times, stage, rng, motion)
    pan = _pan(times, plan, rng, motion) if plan.pan else np.zeros((len(times), 2))
    ambient = rng.normal(person.room_mean_c, person.room_spread_k)
    roles = []
    for index, played in enumerate(motions):
        actor = Actor.cast(head, anatomy, (plan.seed, PERSON_DRAWS, index), ambient, person)
        roles.append(Role(actor, played, stage.place(played.neck) - pan, stage))
    behind = _backdrop(plan, pan, ambient, scene)
    frames, landmarks, visible = [], [], []
    for index, closed in enumerate(blanked(times, plan.events)):
        shot = shoot(behind(index), roles, index)
        shutter = ambient + SHUTTER_K if closed else None
        frames.append(_expose(shot.scene, plan, index, motion.fixed_noise, shutter))
        landmarks.append(shot.landmarks)
        visible.append(shot.visible)
    truth = np.stack(landmarks), np.stack(visible)
    return disturb(Clip(np.stack(frames), times, *truth, plan.fps, plan.kind), plan.events)


def _pan(
    times: NDArray[np.float64], plan: SequencePlan, rng: np.random.Generator, motion: MotionConfig
) -> FloatArray:
    """Way of the view over the background in pixels [T, 2]."""
    reach = motion.pan_share * plan.width
    band = (0.02, 0.1)
    across, down = (wander(times, reach * s / 2, band, rng) for s in (1.0, 0.3))
    return np.clip(np.stack([across, down], axis=1), -reach, reach)


def _backdrop(
    plan: SequencePlan, pan: FloatArray, ambient: float, scene: BackgroundConfig
) -> Callable[[int], FloatArray]:
    """What is behind everybody, frame by frame [H, W]: one background, seen through the pan."""
    margin = math.ceil(float(np.abs(pan).max())) + 1 if pan.any() else 0
    rng = np.random.default_rng((plan.seed, SCENE_DRAWS))
    whole = background(plan.height + 2 * margin, plan.width + 2 * margin, ambient, rng, scene)

    def view(index: int) -> FloatArray:
        if not margin:
            return whole.copy()
        x, y = margin + pan[index]
        shift = np.array([[1, 0, -x], [0, 1, -y]], np.float64)
        size = plan.width, plan.height
        return np.asarray(cv2.warpAffine(whole, shift, size, flags=cv2.INTER_LINEAR))

    return view


def _expose(
    picture: FloatArray, plan: SequencePlan, index: int, fixed: float, shutter: float | None
) -> Frames:
    """One frame through the clip's camera: its generator begins anew, that of the noise goes on.

    shutter: its temperature in degrees Celsius, when it is closed.
    """
    noise = np.random.default_rng((plan.seed, NOISE_DRAWS, index))
    if plan.camera == "grey" and shutter is not None:
        # Gain control follows slowly: what has no contrast comes out flat.
        flat = SHUTTER_GREY + white_noise(plan.height, plan.width, noise)
        return np.round(flat).clip(0, 255).astype(np.uint8)
    if shutter is not None:
        picture = np.full_like(picture, shutter)
    camera = np.random.default_rng((plan.seed, CAMERA_DRAWS))
    config = CAMERAS[plan.camera]
    values = expose(picture, camera, config, temporal=Temporal(noise, fixed)).values
    if plan.camera == "grey":
        return np.round(values).clip(0, 255).astype(np.uint8)
    return np.round((values + KELVIN) * CENTI).clip(0, 65535).astype(np.uint16)


def write_sequence(
    out: Path, head_file: str | None, plan: SequencePlan, person: PersonConfig, sheet: Path | None
) -> str:
    """Film a clip into `out` (and a picture of it into `sheet`); returns a line about it. No head
    file is the procedural head, for tests."""
    head = procedural_head() if head_file is None else load_head(head_file)
    anatomy = Anatomy(head)
    start = time.perf_counter()
    clip = film(head, anatomy, plan, person)
    rate = len(clip.frames) / (time.perf_counter() - start)
    save_clip(clip, out)
    if sheet is not None:
        write_picture(sheet, clip_sheet(clip))
    size = out.stat().st_size / 1e6
    return f"{len(clip.frames)} frames of {plan.kind} in {out} ({size:.2f} MB), {rate:.0f} a second"
