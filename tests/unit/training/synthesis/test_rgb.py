"""Pairs: the colour picture shows what the thermal one shows, pixel by pixel."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from service.entities import ByteArray, FloatArray
from service.imaging.normalisation import OUTSIDE
from training.synthesis.compose import mirror
from training.synthesis.config import DEFAULT, PERSON, SynthesisConfig
from training.synthesis.config.rgb import RgbConfig
from training.synthesis.facts import PersonFacts
from training.synthesis.gallery import QUIET
from training.synthesis.gallery_rgb import QUIET_RGB
from training.synthesis.head import HeadModel
from training.synthesis.occluders import add_occluder
from training.synthesis.person import PORTRAIT, render_person
from training.synthesis.pool import Layer, Pool, PoolMissing, as_layer, write_shard
from training.synthesis.rgb import WHITE, decode_colour, encode_colour
from training.synthesis.rgb_backdrop import backdrop
from training.synthesis.rgb_camera import _bayer, expose_colour
from training.synthesis.rgb_light import black_body, cast_shadows, surface_normals
from training.synthesis.rgb_scene import ColourScene
from training.synthesis.thermal import Anatomy
from training.synthesis.views import View, landmark_view

SIDE = 320


@pytest.fixture(scope="module")
def person(head: HeadModel, anatomy: Anatomy) -> Layer:
    return as_layer(render_person(head, anatomy, (3, 1), PORTRAIT, rgb=True))


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


def _disc() -> Layer:
    """A warm, white disc beside the middle, in a cold, black nothing; points on its outline."""
    yy, xx = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    cover = ((xx - 150) ** 2 + (yy - 165) ** 2 < 60**2).astype(np.float32)
    angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    points = np.stack([150 + 60 * np.cos(angles), 165 + 60 * np.sin(angles)], axis=1)
    rgb = np.where(cover[..., None] > 0, 200, 0).astype(np.uint8).repeat(3, axis=2)
    return Layer(34 * cover, cover, points.astype(np.float32), PersonFacts(0, 0, 0, 10.0), rgb)


# A warm disc before a cold, even wall; a white one before the night.
ALIGNED = replace(
    DEFAULT,
    camera=QUIET,
    background=replace(DEFAULT.background, scenes={"masked": 1.0}),
    occluder=replace(DEFAULT.occluder, view_chance=0.0),
    view=replace(
        DEFAULT.view, face_px=(60.0, 120.0), cut_chance=0.0, shift=0.03, crop_scale=(1.3, 1.6)
    ),
    rgb=replace(QUIET_RGB, backdrop_light=(1e-4, 1e-4), face_px=(40.0, 200.0)),
)


def _masks(view: View) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    assert view.rgb is not None
    return view.image > 127, view.rgb.max(axis=0) > view.rgb.max() / 2


@pytest.mark.parametrize(
    "camera",
    [
        {},
        {"upscale_chance": 1.0},
        {"motion_chance": 1.0, "motion_px": (6.0, 6.0)},
        {"blur_px": (1.3, 1.3)},
        {"ghost_chance": 1.0},
        {"jpeg_chance": 1.0},
    ],
)
def test_silhouettes_coincide_whatever_the_thermal_camera_does(camera: dict[str, object]) -> None:
    config = replace(ALIGNED, camera=replace(QUIET, **camera))  # type: ignore[arg-type]
    layer = _disc()
    for seed in range(12):
        rngs = np.random.default_rng(seed), np.random.default_rng(100 + seed)
        view = landmark_view(layer, rngs[0], config, rngs[1])
        warm, bright = _masks(view)
        middles = [np.argwhere(mask).mean(axis=0) for mask in (warm, bright)]
        # A pixel of the crop is half a sensor's pixel or less.
        np.testing.assert_allclose(middles[0], middles[1], atol=0.7)
        assert (warm & bright).sum() > 0.93 * (warm | bright).sum()
        # The points lie on both outlines.
        np.testing.assert_allclose(middles[1][::-1], view.points.mean(axis=0), atol=0.7)


def test_the_frames_edge_cuts_both() -> None:
    config = replace(ALIGNED, view=replace(ALIGNED.view, cut_chance=1.0, cut=(0.1, 0.3)))
    for seed in range(10):
        rngs = np.random.default_rng(seed), np.random.default_rng(100 + seed)
        view = landmark_view(_disc(), rngs[0], config, rngs[1])
        assert view.rgb is not None
        outside = (view.rgb == OUTSIDE).all(axis=0)
        assert outside.sum() > 1000 and (view.image[outside] == OUTSIDE).all()
        warm, bright = (mask[~outside] for mask in _masks(view))
        assert (warm & bright).sum() > 0.93 * (warm | bright).sum()


def test_mirroring_mirrors_both(person: Layer) -> None:
    turned = mirror(person)
    assert person.rgb is not None and turned.rgb is not None
    np.testing.assert_array_equal(turned.rgb[:, ::-1], person.rgb)
    np.testing.assert_array_equal(turned.cover[:, ::-1], person.cover)


def test_a_view_in_colour_has_the_same_thermal_picture(person: Layer) -> None:
    for seed in range(12):
        plain = landmark_view(person, np.random.default_rng(seed))
        pairs = [
            landmark_view(person, np.random.default_rng(seed), DEFAULT, np.random.default_rng(c))
            for c in (0, 1)
        ]
        for pair in pairs:
            np.testing.assert_array_equal(pair.image, plain.image)
            np.testing.assert_array_equal(pair.points, plain.points)
            assert pair.rgb is not None and pair.rgb.shape == (3, 256, 256)
            assert pair.rgb.dtype == np.uint8
        assert plain.rgb is None
        assert not np.array_equal(_colours(pairs[0]), _colours(pairs[1]))


def _colours(view: View) -> ByteArray:
    assert view.rgb is not None
    return view.rgb


@pytest.mark.parametrize("kind", DEFAULT.occluder.kinds)
def test_occluders_have_one_shape_in_both(kind: str) -> None:
    box = np.array([70, 60, 130, 130], np.float32)
    for seed in range(3):
        scene = np.full((200, 200), 20.0, np.float32)
        colours = ColourScene(200, 2.0, np.random.default_rng(0), QUIET_RGB)
        colours.planes[:] = -1.0
        rng = np.random.default_rng(seed)
        covered = add_occluder(scene, box, 20.0, rng, kind=kind, colours=colours)
        painted = np.asarray((colours.planes > -0.5).all(axis=0))[::2, ::2]
        assert covered.sum() > 50
        assert (covered & painted).sum() > 0.8 * (covered | painted).sum()
        unseen = np.full((200, 200), 20.0, np.float32)
        add_occluder(unseen, box, 20.0, np.random.default_rng(seed), kind=kind)
        np.testing.assert_array_equal(scene, unseen)


def test_a_layer_without_colours_is_refused() -> None:
    scene = ColourScene(50, 1.0, np.random.default_rng(0), QUIET_RGB)
    bare = replace(_disc(), rgb=None)
    with pytest.raises(ValueError, match="no colours"):
        scene.paste(bare, 0.2, np.zeros(2, np.float32))


def _spot() -> FloatArray:
    """Without edges, which a mosaic of colours can only show to half a pixel."""
    yy, xx = np.mgrid[:64, :64].astype(np.float32)
    spot = np.exp(-((xx - 27.5) ** 2 + (yy - 31.5) ** 2) / (2 * 4.0**2))
    return np.asarray(0.02 + np.stack([spot] * 3), np.float32)


def test_the_colour_camera_moves_nothing() -> None:
    config = replace(QUIET_RGB, target=(0.05, 0.05))
    yy, xx = np.mgrid[:64, :64]
    for seed in range(6):
        picture = expose_colour(_spot(), np.random.default_rng(seed), config).astype(float)
        for channel in range(3):
            light = np.maximum(picture[..., channel] - 100, 0)
            middle = np.array([(xx * light).sum(), (yy * light).sum()]) / light.sum()
            np.testing.assert_allclose(middle, [27.5, 31.5], atol=0.15)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_the_colour_camera_keeps_colours_apart(channel: int) -> None:
    planes = np.full((3, 40, 40), 0.05, np.float32)
    planes[channel] = 0.5
    config = replace(QUIET_RGB, adapted=(0.0, 0.0))
    picture = expose_colour(planes, np.random.default_rng(0), config)
    assert picture.mean(axis=(0, 1)).argmax() == channel


def test_darkness_is_dark_and_noisy() -> None:
    config = replace(QUIET_RGB, gain_limit=24.0, dark_stops=(6.0, 6.0))
    wall = np.full((3, 64, 64), 0.3, np.float32)
    day, night = (
        expose_colour(wall, np.random.default_rng(1), replace(config, dark_chance=chance))
        for chance in (0.0, 1.0)
    )
    assert night.mean() < 0.8 * day.mean()
    assert night.std() / night.mean() > 2 * day.std() / day.mean()


def test_white_balance_varies() -> None:
    config = replace(QUIET_RGB, white_balance=0.2)
    wall = np.full((3, 40, 40), 0.3, np.float32)
    means = [
        expose_colour(wall, np.random.default_rng(s), config).mean(axis=(0, 1)) for s in range(8)
    ]
    ratios = np.array([mean[0] / mean[2] for mean in means])
    assert ratios.max() > 1.1 * ratios.min()


@pytest.mark.parametrize("kind", RgbConfig().backdrops)
def test_every_backdrop_is_drawn(kind: str) -> None:
    config = RgbConfig(backdrops={kind: 1.0})
    for seed in range(4):
        planes = backdrop(61, 90, np.random.default_rng(seed), config)
        assert planes.shape == (3, 61, 90) and planes.dtype == np.float32
        assert np.isfinite(planes).all() and planes.min() >= 0 and planes.std() > 0


def test_light_comes_from_where_it_stands() -> None:
    yy, xx = np.mgrid[:100, :100].astype(np.float32)
    ball = 40**2 - (xx - 50) ** 2 - (yy - 50) ** 2
    depth = np.where(ball > 0, 200 - np.sqrt(np.maximum(ball, 0)) / 10, np.inf).astype(np.float32)
    normals = surface_normals(depth, 10.0)
    assert normals[50, 50, 2] > 0.95
    assert normals[50, 75, 0] > 0.4 and normals[50, 25, 0] < -0.4
    assert normals[25, 50, 1] > 0.4 and normals[75, 50, 1] < -0.4
    wall = np.full((100, 100), 200.0, np.float32)
    wall[:, 40:44] = 197.0  # a bar that stands 3 cm before it
    right = np.array([0.8, 0.0, 0.6], np.float32)
    lit = cast_shadows(wall, 5.0, right)
    assert lit[50, 35] < 0.5 < lit[50, 60]  # the light stands at the right


def test_cold_light_is_bluer() -> None:
    assert black_body(3000)[0] > 2 * black_body(3000)[2]
    assert black_body(9000)[2] > black_body(9000)[0]


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


def test_a_finer_colour_picture_is_never_coarser_than_the_thermal_one(person: Layer) -> None:
    config: SynthesisConfig = replace(ALIGNED, rgb=replace(QUIET_RGB, face_px=(1.0, 1.0)))
    rngs = np.random.default_rng(1), np.random.default_rng(2)
    assert landmark_view(person, rngs[0], config, rngs[1]).rgb is not None


def test_overshoot_below_darkness_stays_finite() -> None:
    planes = np.full((3, 24, 24), -0.05, np.float32)
    planes[:, :, 12:] = 0.4
    for seed in range(20):
        counts, steps, pedestal = _bayer(planes, np.random.default_rng(seed), DEFAULT.rgb)
        assert counts[:, 14:].mean() > counts[:, :10].mean()
        assert 0 <= pedestal < steps
