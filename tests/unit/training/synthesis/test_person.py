from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from service.landmark_schema import FLIP
from training.config import from_overrides
from training.synthesis.config import PERSON
from training.synthesis.config.person import PersonConfig
from training.synthesis.config.skin import PRIORS
from training.synthesis.head import HeadModel
from training.synthesis.person import PORTRAIT, render_person
from training.synthesis.pool import Pool, write_shard
from training.synthesis.pose import Pose, PosedHead, pose_head, rotation_matrix, sample_expression
from training.synthesis.thermal import Anatomy, apparent, passing


def test_a_person_is_the_same_for_the_same_seed(head: HeadModel, anatomy: Anatomy) -> None:
    first, second = (render_person(head, anatomy, (3, 1), PORTRAIT) for _ in range(2))
    np.testing.assert_array_equal(first.temperature, second.temperature)
    np.testing.assert_array_equal(first.landmarks, second.landmarks)
    other = render_person(head, anatomy, (3, 2), PORTRAIT)
    assert not np.array_equal(first.landmarks, other.landmarks)


def test_landmarks_lie_on_the_person_and_temperatures_are_human(
    head: HeadModel, anatomy: Anatomy
) -> None:
    for seed in range(6):
        person = render_person(head, anatomy, (4, seed), PORTRAIT)
        for x, y in np.round(person.landmarks[[30, 51, 57]]).astype(int):
            # A tip on the silhouette may round to the pixel beside it.
            assert person.cover[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].any()
        middle = np.median(person.temperature[person.cover])
        assert -10 < middle < 42


def _posed(head: HeadModel, pose: Pose) -> PosedHead:
    rng, centre = np.random.default_rng(0), (143.5, 143.5)
    return pose_head(head, head.neutral, pose, rng, PERSON.pose, 130, (288, 288), centre)


def test_frontal_landmarks_mirror_under_the_flip_table(head: HeadModel) -> None:
    pose = Pose(yaw=0, pitch=0, roll=0, distance=300)
    posed = _posed(head, pose)
    mirrored = posed.landmarks[list(FLIP)] * [-1, 1] + [287, 0]
    assert np.abs(mirrored - posed.landmarks).max() < 6  # the crude head is not quite symmetric


def test_yaw_to_the_subjects_left_moves_the_nose_to_the_image_right(head: HeadModel) -> None:
    posed = _posed(head, Pose(30, 0, 0, 300))
    eyes = posed.landmarks[36:48, 0].mean()
    assert posed.landmarks[30, 0] > eyes


def test_rotation_matrices_are_rotations() -> None:
    matrix = rotation_matrix(40, -20, 10)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(matrix) > 0


def test_expression_weights_stay_in_range(rng: np.random.Generator) -> None:
    names = ("jawOpen", "mouthClose", "eyeBlink_L", "eyeBlink_R", "mouthSmile_L", "mouthSmile_R",
             "eyeLookDown_L", "eyeLookDown_R", "cheekSquint_L")  # fmt: skip
    for _ in range(50):
        weights = sample_expression(names, rng, PERSON.shape)
        assert (weights >= 0).all() and (weights <= 1).all()


def test_skin_follows_the_ambient_at_the_nose(head: HeadModel, anatomy: Anatomy) -> None:
    nose = anatomy.maps[list(PRIORS).index("nose_tip")]
    assert nose.max() > 0.9
    tip = int(nose.argmax())
    cold, warm = (
        np.mean([anatomy.skin(a, np.random.default_rng(s), PERSON.skin)[tip] for s in range(60)])
        for a in (15.0, 30.0)
    )
    assert warm - cold > 2.0


def test_grazing_skin_reads_towards_the_room_at_the_outline_alone() -> None:
    cosine = np.array([1.0, 0.342, 0.1736, 0.1736], np.float32)
    share = np.array([1.0, 1.0, 1.0, 0.0], np.float32)
    drop = 34.0 - apparent(np.full(4, 34.0, np.float32), cosine, 22.0, 0.98, share)
    assert 0.1 < drop[0] < 0.5
    assert 1.0 < drop[1] < 2.3  # 70 degrees, 12 K to the room: about 1.5 K
    assert 3.0 < drop[2] < 6.0  # 80 degrees: about 4 K
    assert drop[3] == pytest.approx(drop[0])  # before warm skin: as if seen from the front


@pytest.mark.parametrize("yaw", [0.0, 70.0])
def test_rays_pass_the_head_at_its_outline(yaw: float, head: HeadModel) -> None:
    posed = _posed(head, Pose(yaw, 0, 0, 400))
    share = passing(posed.image, posed.scale)
    x = posed.image[:, 0]
    level = np.abs(posed.image[:, 1] - posed.landmarks[30, 1]) < posed.scale / 2
    ends = [np.flatnonzero(level)[i] for i in (x[level].argmin(), x[level].argmax())]
    assert (share[ends] > 0.5).all()
    middle = np.abs(x - x[ends].mean()) < np.ptp(x[ends]) / 4
    assert share[level & middle].max() == 0.0


def test_nose_and_lips_end_with_an_edge(head: HeadModel, anatomy: Anatomy) -> None:
    landmarks = head.landmarks
    nose, lips = (anatomy.maps[list(PRIORS).index(name)] for name in ("nose", "vermilion"))
    assert nose[landmarks[30]] > 0.95
    assert nose[landmarks[[39, 42, 48, 54, 51]]].max() < 0.05
    assert lips[landmarks[[30, 33, 8, 36]]].max() < 0.05
    middle = (landmarks[51], landmarks[57])
    between = head.neutral[list(middle)].mean(axis=0)
    assert lips[np.linalg.norm(head.neutral - between, axis=1).argmin()] > 0.95


@pytest.mark.parametrize(
    ("fact", "config"),
    [
        ("glasses", replace(PERSON, worn=replace(PERSON.worn, glasses_chance=1.0))),
        ("mask", replace(PERSON, worn=replace(PERSON.worn, mask_chance=1.0))),
        ("headwear", replace(PERSON, worn=replace(PERSON.worn, headwear={"cap": 1.0}))),
        ("beard", replace(PERSON, hair=replace(PERSON.hair, beards={"full": 1.0}))),
        ("fringe", replace(PERSON, hair=replace(PERSON.hair, styles={"fringe": 1.0}))),
    ],
)
def test_knobs_reach_the_person(
    fact: str, config: PersonConfig, head: HeadModel, anatomy: Anatomy
) -> None:
    for seed in range(3):
        person = render_person(head, anatomy, (seed,), PORTRAIT, 0.0, config)
        assert getattr(person.facts, fact)


def test_pools_are_rendered_with_other_knobs(tmp_path: Path) -> None:
    bare = from_overrides(PersonConfig, ["worn.glasses_chance=0", "pose.yaw_deg=[0, 0]"])
    assert bare.pose.yaw_deg == (0.0, 0.0)
    write_shard(tmp_path, None, "portrait", 0, 0, persons=8, config=bare)
    pool = Pool(tmp_path, "portrait")
    assert not any(pool.layer(i).facts.glasses for i in range(len(pool)))


def test_who_came_in_from_the_cold_has_a_colder_nose_in_the_same_room(
    head: HeadModel, anatomy: Anatomy
) -> None:
    bare = replace(PERSON.worn, mask_chance=0.0, glasses_chance=0.0)
    there = replace(PERSON, room_chance=1.0, room_mean_c=24.0, room_spread_k=0.0, worn=bare)

    def nose(config: PersonConfig) -> float:
        read = []
        for seed in range(12):
            person = render_person(head, anatomy, (seed,), PORTRAIT, 0.0, config)
            assert person.facts.ambient == 24.0
            x, y = np.round(person.landmarks[30]).astype(int)
            around = np.s_[y - 1 : y + 2, x - 1 : x + 2]
            read.append(person.temperature[around][person.cover[around]].mean())
        return float(np.mean(read))

    settled = nose(replace(there, cooled_chance=0.0))
    assert nose(replace(there, cooled_chance=1.0, cooled_k=(9.0, 9.0))) < settled - 1.0
