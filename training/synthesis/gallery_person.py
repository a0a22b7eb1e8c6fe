"""Every knob of a person by picture: another sheet of `docs/synthesis.md`."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from service.entities import ByteArray
from training.synthesis.camera import expose
from training.synthesis.compose import paste
from training.synthesis.config import DEFAULT, PERSON
from training.synthesis.config.person import PersonConfig
from training.synthesis.gallery import FACE, QUIET, SENSOR, Row, draw_rows
from training.synthesis.head import load_head
from training.synthesis.person import PORTRAIT, render_person
from training.synthesis.pictures import grey
from training.synthesis.pool import as_layer
from training.synthesis.thermal import Anatomy

# Equalised, so that fractions of a kelvin show beside a cold room.
CAMERA: Final = replace(
    QUIET, gain_control={"plateau": 1.0}, plateau=(6, 6), linear_share=(0.3, 0.3)
)
# Nobody in particular: bare-headed, awake, looking past the camera in a room.
PLAIN: Final = replace(
    PERSON,
    room_chance=1.0, room_spread_k=0.0, cooled_chance=0.0,
    pose=replace(PERSON.pose, frontal_chance=0.0, yaw_deg=(25, 25), upright_chance=1.0,
                 upright_deg=0.0, level_chance=0.0, pitch_deg=(5, 5), distance_cm=(200, 200),
                 body_pitch_deg=0.0),
    shape=replace(PERSON.shape, identity=(1, 1), mixed_chance=0.0, open_chance=0.0,
                  smile_chance=0.0, blink_chance=0.0, squint_chance=0.0, mouth_width=(1.0, 1.0),
                  nose=(1.25, 1.25)),
    skin=replace(PERSON.skin, contrast={"1.0": 1.0}, odd_chance=0.0, cold_chance=0.0,
                 blotch_chance=0.0, faint_brows_chance=0.0),
    hair=replace(PERSON.hair, styles={"none": 1.0}, beards={"none": 1.0}, locks_chance=0.0,
                 bun_chance=0.0, sun_chance=0.0, hairs_chance=0.0),
    worn=replace(PERSON.worn, headwear={"none": 1.0}, mask_chance=0.0, glasses_chance=0.0),
    body=replace(PERSON.body, bare_shoulders_chance=0.0, sun_chance=0.0),
)  # fmt: skip


def _row(label: str, room: str, *settings: dict[str, Any]) -> Row:
    """room: `person` itself or one of its parts."""
    return Row(label, tuple({"room": room, **setting} for setting in settings))


def _range(room: str, name: str, *values: float, **always: Any) -> Row:
    label = f"{name}: " + ", ".join(f"{value:g}" for value in values)
    return _row(label, room, *({name: (value, value), **always} for value in values))


def _value(room: str, name: str, *values: float, **always: Any) -> Row:
    label = f"{name}: " + ", ".join(f"{value:g}" for value in values)
    return _row(label, room, *({name: value, **always} for value in values))


def _each(room: str, name: str, *kinds: str, **always: Any) -> Row:
    label = f"{name}: " + ", ".join(kinds)
    return _row(label, room, *({name: {kind: 1.0}, **always} for kind in kinds))


LENSES: Final = {"glasses_chance": 1.0, "raised_chance": 0.0}
ROWS: Final = (
    _range("person", "outdoor_c", -5, 10, 24, 36, room_chance=0),
    _range("person", "cooled_k", 1, 5, 9, cooled_chance=1),
    _range("pose", "yaw_deg", -90, -45, 30, 70, frontal_chance=0),
    _range("pose", "pitch_deg", -45, -20, 20, 45, level_chance=0),
    _range("pose", "roll_deg", -60, -25, 25, 60, upright_chance=0),
    _range("pose", "distance_cm", 45, 80, 200, 600),
    _range("pose", "body_follow", 0, 0.4, 0.8, frontal_chance=0, yaw_deg=(60, 60)),
    _range("shape", "identity", 0.7, 1.0, 1.25),
    _range("shape", "mouth_width", 0.78, 1.0, 1.2),
    _range("shape", "nose", 1.0, 1.25, 1.5),
    _range("shape", "open_jaw", 0.05, 0.35, 0.6, 0.9, open_chance=1),
    _range("shape", "smile", 0.2, 0.5, 1.0, smile_chance=1),
    _each("shape", "strength", "0.25", "0.6", "0.6", mixed_chance=0.4),
    _value("shape", "blink_chance", 0, 1),
    _value("shape", "wink_chance", 0, 1, blink_chance=1),
    _value("shape", "gaze_across", 0, 3),
    _range("shape", "gaze_up_down", 0, 0.7),
    _value("skin", "forehead_c", 32, 34, 36),
    _each("skin", "contrast", "0.5", "1.0", "1.6"),
    _value("skin", "odd_chance", 0, 0.3, 0.6),
    _range("skin", "faint_brows", 0, 0.4, 1, faint_brows_chance=1),
    _range("skin", "cold_k", 1, 3, 6, cold_chance=1),
    _value("skin", "coarse_k", 0, 0.3, 0.6, middle_k=0, fine_k=0),
    _value("skin", "middle_k", 0, 0.22, 0.5, coarse_k=0, fine_k=0),
    _value("skin", "fine_k", 0, 0.1, 0.3, coarse_k=0, middle_k=0),
    _range("skin", "vessels_k", -0.1, 0.2, 0.45),
    _range("skin", "blotch_k", -1.0, 0.4, 0.8, blotch_chance=1),
    _each("hair", "styles", "short", "receding", "crown_bald", "fringe"),
    _each("hair", "styles", "low_fringe", "parted", "long", "long_fringe"),
    _range("hair", "short_cm", 0.15, 0.5, 1.6, styles={"short": 1.0}),
    _range("hair", "long_cm", 0.6, 1.4, 2.4, styles={"long": 1.0}),
    _range("hair", "share", 0.25, 0.55, 0.85, styles={"short": 1.0}),
    _range("hair", "sun_share", 0.9, 1.15, 1.4, styles={"short": 1.0}, sun_chance=1),
    _value("hair", "locks_chance", 0, 1, styles={"fringe": 1.0}),
    _value("hair", "bun_chance", 0, 1, styles={"long": 1.0}),
    _each("hair", "beards", "full", "goatee", "moustache", "stubble"),
    _range("hair", "beard_drop", 0.2, 0.5, 0.8, beards={"full": 1.0}),
    _range("hair", "stubble_drop", 0.1, 0.2, 0.35, beards={"stubble": 1.0}),
    _value("hair", "moustache_chance", 0, 1, beards={"goatee": 1.0}),
    _value("hair", "hairs_chance", 0, 1, beards={"full": 1.0}),
    _each("worn", "headwear", "cap", "beanie", "headband"),
    _each("worn", "headwear", "hood", "headscarf"),
    _range("worn", "brim_cm", 5.2, 7, 9, headwear={"cap": 1.0}),
    _range("worn", "headwear_share", 0.05, 0.35, 0.65, headwear={"beanie": 1.0}),
    _value("worn", "visor_chance", 0, 1, headwear={"cap": 1.0}),
    _value("worn", "backwards_chance", 0, 1, headwear={"cap": 1.0}, visor_chance=1),
    _range("worn", "mask_share", 0.2, 0.5, 0.9, mask_chance=1, mask_scarf_chance=0),
    _value("worn", "low_mask_chance", 0, 1, mask_chance=1, mask_scarf_chance=0),
    _value("worn", "mask_scarf_chance", 0, 1, mask_chance=1),
    _range("worn", "glasses_share", -0.05, 0.15, 0.35, **LENSES),
    _range("worn", "lens_width_cm", 2.1, 2.7, 3.3, **LENSES),
    _range("worn", "lens_height_cm", 1.3, 1.9, 2.6, **LENSES),
    _value("worn", "raised_chance", 0, 1, glasses_chance=1),
    _value("worn", "mirrored_things", 0, 1.2, 4, **LENSES),
    _range("worn", "mirrored_k", -25, 5, 40, mirrored_things=6, **LENSES),
    _range("worn", "mirror_share", 0.05, 0.12, 0.2, mirrored_things=6, **LENSES),
    _value("body", "bare_shoulders_chance", 0, 1),
    _range("body", "build", 0.85, 1.0, 1.25),
    _range("body", "cloth_share", 0.05, 0.4, 0.8),
    _range("body", "sun_k", 1, 4, 8, sun_chance=1),
    _range("body", "folds_k", 0.2, 0.8, 1.5),
    _value("body", "turtleneck_chance", 0, 1),
)


def person_sheet(head_file: Path, seed: int) -> ByteArray:
    """One person, one knob a row. Raises HeadModelMissing without a head model."""
    head = load_head(head_file)
    anatomy = Anatomy(head)

    def picture(setting: dict[str, Any], i: int) -> ByteArray:
        # One seed for a whole row: only the knob differs, but for knobs that are draws.
        rng = np.random.default_rng(seed)
        person = render_person(head, anatomy, (seed,), PORTRAIT, 0.0, _config(setting))
        layer = as_layer(person)
        scene = np.full((SENSOR, SENSOR), layer.facts.ambient, np.float32)
        scale = FACE / layer.face_size
        origin = (layer.box[:2] + layer.box[2:]) / 2 - SENSOR / 2 / scale
        paste(scene, layer, scale, origin, rng, DEFAULT.frame.body_uneven_k)
        return grey(expose(scene, rng, CAMERA).values)

    return draw_rows(ROWS, picture, SENSOR, 3)


def _config(setting: dict[str, Any]) -> PersonConfig:
    changes = {name: value for name, value in setting.items() if name != "room"}
    room = setting["room"]
    if room == "person":
        return replace(PLAIN, **changes)
    return replace(PLAIN, **{room: replace(getattr(PLAIN, room), **changes)})
