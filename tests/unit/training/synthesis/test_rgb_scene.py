"""Pairs: the colour picture shows what the thermal one shows, pixel by pixel."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from service.entities import ByteArray
from service.imaging.normalisation import OUTSIDE
from training.synthesis.compose import mirror
from training.synthesis.config import DEFAULT, SynthesisConfig
from training.synthesis.facts import PersonFacts
from training.synthesis.gallery import QUIET
from training.synthesis.gallery_rgb import QUIET_RGB
from training.synthesis.head import HeadModel
from training.synthesis.occluders import add_occluder
from training.synthesis.person import PORTRAIT, render_person
from training.synthesis.pool import Layer, as_layer
from training.synthesis.rgb_scene import ColourScene
from training.synthesis.thermal import Anatomy
from training.synthesis.views import View, landmark_view

SIDE = 320


@pytest.fixture(scope="module")
def person(head: HeadModel, anatomy: Anatomy) -> Layer:
    return as_layer(render_person(head, anatomy, (3, 1), PORTRAIT, rgb=True))


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


def test_upright_views_turn_both() -> None:
    config = replace(ALIGNED, view=replace(ALIGNED.view, upright_chance=1.0, upright_deg=40.0))
    layer = _disc()
    assert layer.rgb is not None
    layer.cover[:165], layer.temperature[:165], layer.rgb[:165] = 0, 0, 0  # its lower half
    for seed in range(12):
        rngs = np.random.default_rng(seed), np.random.default_rng(100 + seed)
        warm, bright = _masks(landmark_view(layer, rngs[0], config, rngs[1]))
        # As much as without a turn: half a disc has more edge to its area.
        assert (warm & bright).sum() > 0.86 * (warm | bright).sum()


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


def test_a_finer_colour_picture_is_never_coarser_than_the_thermal_one(person: Layer) -> None:
    config: SynthesisConfig = replace(ALIGNED, rgb=replace(QUIET_RGB, face_px=(1.0, 1.0)))
    rngs = np.random.default_rng(1), np.random.default_rng(2)
    assert landmark_view(person, rngs[0], config, rngs[1]).rgb is not None


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
