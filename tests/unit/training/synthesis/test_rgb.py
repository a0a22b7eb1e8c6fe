"""The colours of persons: they change nothing else, and are kept in pools."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.synthesis.config import PERSON
from training.synthesis.head import HeadModel
from training.synthesis.person import PORTRAIT, render_person
from training.synthesis.pool import Pool, PoolMissing, write_shard
from training.synthesis.rgb import WHITE, decode_colour, encode_colour
from training.synthesis.thermal import Anatomy


def test_colours_leave_all_else_as_it_is(head: HeadModel, anatomy: Anatomy) -> None:
    for seed in range(4):
        plain, paired = (
            render_person(head, anatomy, (3, seed), PORTRAIT, rgb=rgb) for rgb in (False, True)
        )
        np.testing.assert_array_equal(plain.temperature, paired.temperature)
        np.testing.assert_array_equal(plain.landmarks, paired.landmarks)
        np.testing.assert_array_equal(plain.cover, paired.cover)
        assert plain.facts == paired.facts and plain.rgb is None


def test_colour_is_where_the_person_is(head: HeadModel, anatomy: Anatomy) -> None:
    for seed in range(4):
        person = render_person(head, anatomy, (5, seed), PORTRAIT, rgb=True)
        assert person.rgb is not None
        assert not person.rgb[~person.cover].any()
        assert person.rgb[person.cover].any(axis=1).mean() > 0.98
        again = render_person(head, anatomy, (5, seed), PORTRAIT, rgb=True)
        np.testing.assert_array_equal(person.rgb, again.rgb)


def test_skin_light_and_hair_differ_between_people(head: HeadModel, anatomy: Anatomy) -> None:
    means = []
    for seed in range(8):
        person = render_person(head, anatomy, (6, seed), PORTRAIT, rgb=True)
        assert person.rgb is not None
        means.append(decode_colour(person.rgb[person.cover]).mean(axis=0))
    brightness, redness = np.mean(means, axis=1), np.array(means)[:, 0] / np.array(means)[:, 2]
    assert brightness.max() > 2 * brightness.min()
    assert redness.max() > 1.3 * redness.min()


def test_sunglasses_hide_what_clear_lenses_let_through(head: HeadModel, anatomy: Anatomy) -> None:
    worn = replace(PERSON.worn, glasses_chance=1.0, headwear={"none": 1.0})
    bare, clear, dark = (
        render_person(
            head, anatomy, (2,), PORTRAIT, 0.0,
            replace(PERSON, worn=w, colour=replace(PERSON.colour, clear_chance=c, mirror=(0, 0))),
            rgb=True,
        ).rgb
        for w, c in ((replace(worn, glasses_chance=0.0), 1.0), (worn, 1.0), (worn, 0.0))
    )  # fmt: skip
    assert bare is not None and clear is not None and dark is not None
    changed = (clear != dark).any(axis=2)
    before, through, hidden = (
        decode_colour(picture)[changed].mean() for picture in (bare, clear, dark)
    )
    assert changed.sum() > 100
    assert through > 0.7 * before and hidden < 0.4 * before


def test_coding_keeps_colours() -> None:
    values = np.linspace(0, WHITE, 60).astype(np.float32).reshape(20, 3)
    np.testing.assert_allclose(decode_colour(encode_colour(values)), values, atol=0.01 * WHITE)


def test_pools_hold_colours_if_asked_to(tmp_path: Path) -> None:
    coloured, plain = tmp_path / "coloured", tmp_path / "plain"
    write_shard(coloured, None, "portrait", 0, 0, persons=3, rgb=True)
    write_shard(plain, None, "portrait", 0, 0, persons=3)
    first, second = Pool(coloured, "portrait", rgb=True), Pool(plain, "portrait")
    for i in range(3):
        layer, same = first.layer(i), second.layer(i)
        assert layer.rgb is not None and layer.rgb.shape == (320, 320, 3) and same.rgb is None
        np.testing.assert_array_equal(layer.temperature, same.temperature)
    assert Pool(coloured, "portrait").layer(0).rgb is None
    with pytest.raises(PoolMissing, match="pool --rgb"):
        Pool(plain, "portrait", rgb=True)
    with pytest.raises(PoolMissing, match="pool --rgb"):
        write_shard(plain, None, "portrait", 0, 0, persons=3, rgb=True)
