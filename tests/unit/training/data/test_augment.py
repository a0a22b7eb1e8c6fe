import numpy as np
import pytest

from service.entities import Box, FloatArray
from service.imaging.normalisation import OUTSIDE
from service.landmark_schema import FLIP
from service.vision.crop import landmark_crop
from tests.data_sets import face
from training.config import AugmentConfig
from training.data.augment import (
    Variation,
    colour_crop,
    crop_face,
    draw_variation,
    thermal_crop,
)
from training.data.faces import FaceLabel, box_of

HEIGHT, WIDTH = 120, 160


def label(points: FloatArray, weight: FloatArray | None = None) -> FaceLabel:
    points = points.astype(np.float32)
    given = np.ones(68, np.float32) if weight is None else weight
    return FaceLabel(name="a", points=points, weight=given, box=box_of(points))


def picture_of(points: FloatArray) -> FloatArray:
    """A blob at each point, all of other heights, so that places can be read from the picture."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    picture = np.zeros((HEIGHT, WIDTH), np.float32)
    for x, y in points:
        picture += 200 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8).astype(np.float32)
    return picture


def centroid(picture: FloatArray) -> FloatArray:
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    mass = picture.sum()
    return np.array([(columns * picture).sum(), (rows * picture).sum()]) / mass


@pytest.mark.parametrize(
    "how",
    [
        Variation(),
        Variation(flip=True),
        Variation(angle=30.0),
        Variation(crop_scale=1.6, shift=(0.1, -0.05)),
        Variation(crop_scale=1.4, shift=(-0.1, 0.1), angle=-17.0, flip=True),
    ],
)
@pytest.mark.parametrize("size", [256, 128])
@pytest.mark.parametrize("landmark", [30, 8, 36])
def test_points_go_where_the_picture_goes(how: Variation, size: int, landmark: int) -> None:
    points = face()
    crop = crop_face([picture_of(points[landmark : landmark + 1])], label(points), how, size)
    place = FLIP[landmark] if how.flip else landmark
    np.testing.assert_allclose(crop.points[place], centroid(crop.planes[0]), atol=0.6)
    assert crop.weight[place] == 1


def test_without_variation_it_is_the_serving_crop() -> None:
    values = np.random.default_rng(0).uniform(20, 36, (HEIGHT, WIDTH)).astype(np.float32)
    of = label(face())
    crop = crop_face([values], of, Variation(), 256)
    image, to_network = landmark_crop(values, of.box, "auto")
    np.testing.assert_array_equal(thermal_crop(crop.planes[0], crop.inside, black_hot=False), image)
    np.testing.assert_allclose(crop.points, to_network.to_network(of.points), atol=1e-4)


def test_the_mirror_image_has_the_mirror_landmarks() -> None:
    points = face((70, 60), 40)
    weight = np.ones(68, np.float32)
    weight[48] = 0
    mirrored = crop_face(
        [np.zeros((HEIGHT, WIDTH), np.float32)], label(points, weight), Variation(flip=True), 256
    )
    plain = crop_face([np.zeros((HEIGHT, WIDTH), np.float32)], label(points), Variation(), 256)
    expected = plain.points[FLIP,].copy()
    expected[:, 0] = 255 - expected[:, 0]
    known = np.arange(68) != FLIP[48]
    np.testing.assert_allclose(mirrored.points[known], expected[known], atol=1e-3)
    assert np.flatnonzero(mirrored.weight == 0).tolist() == [FLIP[48]]


def test_points_that_nobody_can_see_have_no_weight() -> None:
    points = face((20, 60), 60)  # reaches beyond the left edge
    weight = np.full(68, 0.5, np.float32)
    points[30] = np.nan
    crop = crop_face(
        [np.zeros((HEIGHT, WIDTH), np.float32)], label(points, weight), Variation(), 256
    )
    beyond = points[:, 0] < -0.5
    assert 0 < beyond.sum() < 30
    assert (crop.weight[beyond] == 0).all()
    assert crop.weight[30] == 0
    assert set(crop.weight.tolist()) == {0.0, 0.5}
    assert np.flatnonzero(np.isnan(crop.points).any(axis=1)).tolist() == [30]
    assert not crop.inside[128, 0]


def test_the_crops_edge_takes_the_weight_of_what_lies_beyond() -> None:
    crop = crop_face(
        [np.zeros((HEIGHT, WIDTH), np.float32)], label(face()), Variation(shift=(0.1, 0)), 256
    )
    assert (crop.weight > 0).all()
    tight = crop_face(
        [np.zeros((HEIGHT, WIDTH), np.float32)], label(face()),
        Variation(crop_scale=1.05, shift=(0.15, 0)), 256,
    )  # fmt: skip
    assert tight.weight[0] == 0
    assert tight.weight[16] == 1


def test_what_the_picture_does_not_hold_is_neither_hot_nor_cold() -> None:
    values = np.random.default_rng(0).uniform(20, 36, (HEIGHT, WIDTH)).astype(np.float32)
    crop = crop_face([values] * 3, label(face((0, 60))), Variation(angle=20), 256)
    image = thermal_crop(crop.planes[0], crop.inside, black_hot=False)
    assert (image[~crop.inside] == OUTSIDE).all()
    assert 0.2 < crop.inside.mean() < 0.8
    assert (colour_crop(crop.planes, crop.inside)[:, ~crop.inside] == OUTSIDE).all()
    nothing = np.zeros((256, 256), bool)
    assert (thermal_crop(crop.planes[0], nothing, black_hot=False) == OUTSIDE).all()


def test_black_hot_is_the_negative() -> None:
    values = np.linspace(20, 36, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.float32)
    crop = crop_face([values], label(face()), Variation(), 256)
    white = thermal_crop(crop.planes[0], crop.inside, black_hot=False)
    black = thermal_crop(crop.planes[0], crop.inside, black_hot=True)
    np.testing.assert_allclose(white.astype(int) + black, 255, atol=1)


def test_colours_are_kept_as_photographed() -> None:
    planes = [np.full((HEIGHT, WIDTH), value, np.float32) for value in (10, 20, 300)]
    crop = crop_face(planes, label(face()), Variation(), 128)
    assert colour_crop(crop.planes, crop.inside)[:, 64, 64].tolist() == [10, 20, 255]


def test_draws_stay_within_the_settings() -> None:
    config = AugmentConfig(crop_scale=(1.1, 1.2), shift=0.5, rotation=5, flip=1, black_hot=0)
    rng = np.random.default_rng(0)
    drawn = [draw_variation(rng, config) for _ in range(50)]
    assert all(1.1 <= one.crop_scale <= 1.2 and abs(one.angle) <= 5 for one in drawn)
    assert max(abs(one.shift[0]) for one in drawn) == 0.15
    assert all(one.flip and not one.black_hot for one in drawn)
    assert len({one.angle for one in drawn}) == 50


def test_a_box_of_its_own_is_mirrored_too() -> None:
    points = face()
    own = FaceLabel(
        name="a", points=points.astype(np.float32), weight=np.ones(68, np.float32),
        box=Box(10, 20, 90, 100),
    )  # fmt: skip
    crop = crop_face([picture_of(points[30:31])], own, Variation(flip=True), 256)
    np.testing.assert_allclose(crop.points[30], centroid(crop.planes[0]), atol=0.6)
