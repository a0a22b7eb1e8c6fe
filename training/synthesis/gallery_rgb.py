"""Pairs of thermal and colour pictures, and the knobs of colour: another sheet of
`docs/synthesis.md`."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from service.entities import ByteArray
from training.synthesis.config import DEFAULT, PERSON, SynthesisConfig
from training.synthesis.config.rgb import RgbConfig
from training.synthesis.gallery import QUIET, Row
from training.synthesis.gallery_person import PLAIN
from training.synthesis.head import HeadModel, load_head
from training.synthesis.person import PORTRAIT, render_person
from training.synthesis.pictures import dotted, sheet
from training.synthesis.pool import Layer, as_layer
from training.synthesis.thermal import Anatomy
from training.synthesis.views import View, landmark_view

# A colour camera that does nothing, before a grey wall.
QUIET_RGB: Final = RgbConfig(
    face_px=(130, 130), backdrops={"gradient": 1.0}, backdrop_light=(0.7, 0.7),
    backdrop_blur=(0.02, 0.02), blur_px=(0.5, 0.5), stops=0, target=(0.2, 0.2), dark_chance=0,
    white_balance=0, adapted=(0.7, 0.7), shot_noise=(0.004, 0.004), read_noise=(5e-4, 5e-4),
    gamma=(2.2, 2.2), contrast=(0.2, 0.2), saturation=(1, 1), grey_chance=0, jpeg_chance=0,
)  # fmt: skip
STILL: Final = replace(
    DEFAULT, camera=QUIET, rgb=QUIET_RGB,
    occluder=replace(DEFAULT.occluder, view_chance=0),
    view=replace(DEFAULT.view, shift=0, shift_px=0, cut_chance=0, face_px=(25, 25),
                 crop_scale=(1.35, 1.35)),
)  # fmt: skip
# Light that shows all colours as they are, on a person in the middle of the skin tones.
LIT: Final = replace(
    PERSON.colour, tone=(5, 5), tint=0.0, freckles_chance=0, lipstick_chance=0, flush=(0.6, 0.6),
    brows=(0.7, 0.7), hair={"dark_brown": 1.0}, eyes={"brown": 1.0}, gaze_cm=0, clear_chance=1,
    mirror=(0.1, 0.1), rim=(0.12, 0.12), key_azimuth_deg=(-35, -35), key_height_deg=(35, 35),
    key=(0.8, 0.8), fill=(0.2, 0.2), ambient=(0.3, 0.3), light_kelvin=(6000, 6000),
    coloured_chance=0, shadow=(0.8, 0.8), gloss=(0.08, 0.08), mottle=(0.02, 0.02), lips=(0.7, 0.7),
)  # fmt: skip
GLASSES: Final = {"glasses": True}


def _range(name: str, *values: float, **always: Any) -> Row:
    label = f"{name}: " + ", ".join(f"{value:g}" for value in values)
    return Row(label, tuple({name: (value, value), **always} for value in values))


def _each(name: str, *kinds: str) -> Row:
    return Row(f"{name}: " + ", ".join(kinds), tuple({name: {kind: 1.0}} for kind in kinds))


PERSON_ROWS: Final = (
    _range("tone", 1, 4, 7, 10),
    _each("hair", "black", "blond", "grey", "dyed"),
    _each("eyes", "brown", "hazel", "green", "blue"),
    _range("lips", 0.4, 0.7, 1.0, 1.0, lipstick_chance=1),
    _range("rim", 0.04, 0.1, 0.16, 0.22, **GLASSES),
    _range("dark_share", 0.75, 0.83, 0.9, 0.98, clear_chance=0, **GLASSES),
    _range("key_azimuth_deg", -80, -30, 30, 80),
    _range("key_height_deg", -5, 20, 45, 65),
    _range("light_kelvin", 2500, 4000, 6500, 9500),
    _range("shadow", 0.3, 0.55, 0.8, 1.0, key_height_deg=(60, 60)),
    _range("gloss", 0.02, 0.07, 0.12, 0.18),
)
CAMERA_ROWS: Final = (
    _each("backdrops", "room", "street", "foliage", "clutter"),
    _range("face_px", 30, 50, 80, 130),
    _range("target", 0.06, 0.12, 0.2, 0.35),
    _range("dark_stops", 2.0, 4.0, 6.0, 8.0, dark_chance=1),
    Row("white_balance: four draws", ({"white_balance": 0.2},) * 4),
    _range("saturation", 0.0, 0.7, 1.0, 1.3),
)


class _Persons:
    """Persons of one head model, rendered in colour."""

    def __init__(self, head: HeadModel) -> None:
        self._head, self._anatomy = head, Anatomy(head)

    def anybody(self, seed: tuple[int, ...]) -> Layer:
        return as_layer(render_person(self._head, self._anatomy, seed, PORTRAIT, rgb=True))

    def nobody_in_particular(self, seed: int, setting: dict[str, Any]) -> Layer:
        """The plain person with those knobs of colour, with short hair; `glasses` puts some on."""
        changes = {name: value for name, value in setting.items() if name != "glasses"}
        config = replace(
            PLAIN,
            hair=replace(PLAIN.hair, styles={"short": 1.0}, short_cm=(0.8, 0.8)),
            worn=replace(PLAIN.worn, glasses_chance=float("glasses" in setting), raised_chance=0.0),
            colour=replace(LIT, **changes),
        )
        return as_layer(
            render_person(self._head, self._anatomy, (seed,), PORTRAIT, 0.0, config, rgb=True)
        )


def rgb_sheet(head_file: Path, seed: int) -> ByteArray:
    """Eight pairs, thermal above colour; below, one knob a row.

    Raises HeadModelMissing without a head model.
    """
    persons = _Persons(load_head(head_file))
    pairs = [_pair(persons, seed, i) for i in range(8)]
    rows = [
        ("pairs: one view in both", [thermal(view) for view in pairs]),
        ("", [coloured(view) for view in pairs]),
    ]
    above = sheet(rows, 120, 1)
    plain = persons.nobody_in_particular(seed, {})
    shown = [
        (row.label, [_knob(persons.nobody_in_particular(seed, s), seed, STILL)
                     for s in row.settings])
        for row in PERSON_ROWS
    ]  # fmt: skip
    shown += [
        (row.label, [_knob(plain, seed + i * ("draws" in row.label), _still(s))
                     for i, s in enumerate(row.settings)])
        for row in CAMERA_ROWS
    ]  # fmt: skip
    below = sheet(shown, 74, 3)
    width = max(above.shape[1], below.shape[1])
    parts = [np.pad(p, ((0, 0), (0, width - p.shape[1]), (0, 0)), constant_values=255)
             for p in (above, below)]  # fmt: skip
    return np.vstack(parts)


def _pair(persons: _Persons, seed: int, i: int) -> View:
    rngs = (np.random.default_rng((seed, part, i)) for part in (7, 8))
    return landmark_view(persons.anybody((seed, i)), next(rngs), DEFAULT, next(rngs))


def thermal(view: View) -> ByteArray:
    """The thermal crop with its points, uint8 BGR."""
    return dotted(view.image, view.points, view.weight)


def coloured(view: View, points: bool = True) -> ByteArray:
    """The colour crop, with its points or without, uint8 BGR."""
    if view.rgb is None:
        raise ValueError("this view has no colours")
    picture = np.ascontiguousarray(view.rgb[::-1].transpose(1, 2, 0))
    return dotted(picture, view.points, view.weight) if points else picture


def _still(setting: dict[str, Any]) -> SynthesisConfig:
    return replace(STILL, rgb=replace(QUIET_RGB, **setting))


def _knob(layer: Layer, seed: int, config: SynthesisConfig) -> ByteArray:
    """The colour crop of a steady view: it does not depend on the knob."""
    rngs = np.random.default_rng(9), np.random.default_rng(seed)
    return coloured(landmark_view(layer, rngs[0], config, rngs[1]), points=False)
