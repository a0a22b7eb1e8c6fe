import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.config import ConfigError, from_overrides
from training.synthesis.backgrounds import DRAW
from training.synthesis.config import DEFAULT, MOTION, PERSON, SOURCES, SynthesisConfig
from training.synthesis.config.camera import CameraConfig
from training.synthesis.config.knobs import log_uniform, pick
from training.synthesis.config.person import HairConfig
from training.synthesis.config.rgb import ColourConfig, RgbConfig
from training.synthesis.gallery import CAMERA_ROWS, QUIET
from training.synthesis.gallery_person import ROWS
from training.synthesis.gallery_rgb import CAMERA_ROWS as RGB_ROWS
from training.synthesis.gallery_rgb import PERSON_ROWS as COLOUR_ROWS
from training.synthesis.hair import HAIRLINES
from training.synthesis.page import with_tables
from training.synthesis.rgb_skin import HAIRS, IRISES

PAGE = Path("docs/synthesis.md")


def _knobs(config: Any) -> list[tuple[str, Any, Any]]:
    """(name, value, metadata) of all knobs, those of inner rooms too."""
    found: list[tuple[str, Any, Any]] = []
    for item in fields(config):
        value = getattr(config, item.name)
        found += _knobs(value) if is_dataclass(value) else [(item.name, value, item.metadata)]
    return found


def test_every_knob_says_what_it_is_and_where_its_figures_come_from() -> None:
    for name, value, note in _knobs(DEFAULT) + _knobs(PERSON) + _knobs(MOTION):
        assert note["what"] and note["source"], name
        assert "|" not in note["what"] + note["source"], f"{name}: would break the page's table"
        assert set(re.findall(r"\[(\w)\]", note["source"])) <= set(SOURCES), name
        if isinstance(value, tuple):
            assert value[0] <= value[1], name
        if name.endswith("_chance"):
            assert 0 <= value <= 1, name


def test_the_page_agrees_with_the_configuration() -> None:
    page = PAGE.read_text()
    hint = "run `python -m training.synthesis page docs/synthesis.md`"
    assert with_tables(page) == page, hint
    for name, _, _ in _knobs(DEFAULT) + _knobs(PERSON) + _knobs(MOTION):
        assert f"| `{name}` |" in page, f"{name} is not on the page; {hint}"
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", page):
        assert (PAGE.parent / picture).is_file()


def test_the_page_of_an_unknown_room_is_an_error() -> None:
    with pytest.raises(KeyError, match="cellar"):
        with_tables("<!-- knobs cellar -->\n<!-- end -->")


def test_every_knob_of_camera_and_person_has_its_picture() -> None:
    shown = {name for row in CAMERA_ROWS for setting in row.settings for name in setting}
    assert {item.name for item in fields(CameraConfig)} - shown == set()
    shown = {name for row in ROWS for setting in row.settings for name in setting}
    # Widths of the usual poses: the wide ones of the same angle are shown.
    usual = {"frontal_deg", "upright_deg", "level_mean_deg", "level_deg", "away_deg"}
    unseen = {"body_pitch_deg", "body_roll", "axes", "symmetric_chance", "room_mean_c",
              "room_spread_k", "forehead_per_k", "person_k", "emissivity", "emissivity_spread",
              "reflected_k", "height", "bare_arms_chance", "breath_k",
              "squint_chance"}  # fmt: skip
    colours = {item.name for item in fields(ColourConfig)}
    assert {name for name, _, _ in _knobs(PERSON)} - shown - colours == usual | unseen


def test_the_sheet_of_colours_shows_knobs_that_there_are() -> None:
    shown = {name for row in COLOUR_ROWS for setting in row.settings for name in setting}
    assert shown - {"glasses"} <= {item.name for item in fields(ColourConfig)}
    shown = {name for row in RGB_ROWS for setting in row.settings for name in setting}
    assert shown <= {item.name for item in fields(RgbConfig)}


def test_names_of_kinds_are_those_that_can_be_drawn() -> None:
    assert set(DEFAULT.background.things) == set(DRAW)
    assert set(HairConfig().styles) == {*HAIRLINES, "none"}
    assert set(ColourConfig().eyes) == set(IRISES)
    assert set(ColourConfig().hair) == {*HAIRS, "dyed"}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("camera.gain_control.linaer=1", "camera.gain_control.linaer: not one of"),
        ("camera.gain_control.linear=0", "camera.gain_control: weights"),
        ("background.things.car=-1", "background.things: weights"),
        ("frame.layouts={}", "frame.layouts: weights"),
    ],
)
def test_a_table_that_cannot_be_drawn_from_is_an_error(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_overrides(SynthesisConfig, [override])


def test_sizes_and_numbers_of_tables_are_free() -> None:
    config = from_overrides(
        SynthesisConfig, ["frame.sensors.64x48=1", 'camera.radiometric_step_k={"0.05"=1}']
    )
    assert config.frame.sensors == {"64x48": 1.0}
    assert config.camera.radiometric_step_k == {"0.05": 1.0}


def test_picking_follows_the_weights() -> None:
    rng = np.random.default_rng(0)
    drawn = [pick({"a": 3.0, "b": 0.0, "c": 1.0}, rng) for _ in range(4000)]
    assert drawn.count("b") == 0
    assert 0.70 < drawn.count("a") / len(drawn) < 0.80


def test_log_uniform_is_as_likely_in_each_octave() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([log_uniform((1.0, 16.0), rng) for _ in range(4000)])
    assert 1.0 <= drawn.min() and drawn.max() <= 16.0
    assert 0.45 < (drawn < 4.0).mean() < 0.55


def test_only_what_was_changed_is_kept() -> None:
    assert DEFAULT.changed() == {}
    assert type(DEFAULT)(camera=QUIET).changed()["camera"]["gain_control"] == {"linear": 1.0}
