from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from service.entities import ThermalFrame, Unit
from service.vision.crop import crop_map, landmark_crop, rotation
from service.vision.faces import box_of
from service.vision.refine import second_looks
from tests.data_sets import face
from training.evaluation.candidates import Candidate
from training.evaluation.examples import Example, FirstLook
from training.evaluation.groups import by_fact, by_size, marks
from training.evaluation.landmark_section import landmark_section
from training.evaluation.landmarks import (
    CHUNK,
    breakdowns,
    face_errors,
    figures,
    point_distances,
    predict,
)
from training.evaluation.sections import text
from training.served import Outputs
from training.synthesis.facts import PersonFacts, ViewFacts


def facts(yaw: float = 0, size: float = 50, **more: bool) -> ViewFacts:
    worn = {name: value for name, value in more.items() if name in PersonFacts.__annotations__}
    seen = {"occluder": False, "cut": False, "black_hot": False}
    seen |= {name: value for name, value in more.items() if name in seen}
    return ViewFacts(PersonFacts(yaw, 0, 0, 20, **worn), size, **seen)


def points() -> np.ndarray:
    """`[68, 2]` within (50, 50) to (130, 110): outer eye corners 40 apart, the box 80 x 60."""
    xy = np.random.default_rng(0).uniform((60, 60), (120, 100), (68, 2)).astype(np.float32)
    xy[[0, 8]] = (50, 50), (130, 110)
    xy[[36, 45]] = (70, 70), (110, 70)
    return xy


def example(index: int, of: ViewFacts | None) -> Example:
    xy = points()
    box = np.concatenate([xy.min(0), xy.max(0)])
    size = of.size if of else 50.0
    image = np.full((256, 256), index % 256, np.uint8)
    return Example(f"face {index}", image, xy, np.ones(68, np.float32), box, size, of)


@dataclass
class Faces:
    """An `ExampleSet` of given facts."""

    facts: list[ViewFacts | None]
    protocol: str = "made up"

    def __len__(self) -> int:
        return len(self.facts)

    def __getitem__(self, index: int) -> Example:
        return example(index, self.facts[index])


def network(images: np.ndarray) -> Outputs:
    """Off to the right by as many pixels as the picture is bright; sigma says so."""
    away = images[:, 0, 0, 0].astype(np.float32)
    keypoints = np.zeros((len(images), 68, 4), np.float32)
    keypoints[..., :2] = points()
    keypoints[..., 0] += away[:, None]
    keypoints[..., 2] = 1 / (1 + away[:, None])
    keypoints[..., 3] = away[:, None]
    return {"keypoints": keypoints}


CANDIDATE = Candidate("landmarks", "tiny", Path("tiny.onnx"), "0" * 64, network, 256)


def test_errors_over_each_scale() -> None:
    truth, found = predict(Faces([facts()] * 3), [CANDIDATE])
    errors = face_errors(truth, found["tiny"])
    away = np.arange(3)
    assert errors["nme_io"] == pytest.approx(away / 40, rel=1e-5)
    assert errors["nme_diagonal"] == pytest.approx(away / 100, rel=1e-5)
    assert errors["nme_box"] == pytest.approx(away / np.sqrt(80 * 60), rel=1e-5)


def test_large_sets_go_through_in_chunks() -> None:
    truth, found = predict(Faces([facts()] * (CHUNK + 3)), [CANDIDATE])
    assert len(truth) == len(found["tiny"]) == CHUNK + 3
    assert found["tiny"][-1, 0, 3] == CHUNK + 2


@pytest.mark.parametrize(("second_sigma", "better"), [(1.0, True), (30.0, False)])
def test_a_second_look_is_told_in_pixels_of_the_first(second_sigma: float, better: bool) -> None:
    true = np.asarray(face((100.0, 80.0), 40.0) @ rotation(-40.0).T, np.float32)  # tilted
    box = box_of(true, 1.0)
    frame = ThermalFrame(np.zeros((200, 200), np.float32), Unit.COUNTS, "test")
    image, to_network = landmark_crop(frame.values, box, "auto")
    first = np.full((1, 68, 4), 0.5, np.float32)
    first[..., :2], first[..., 3] = to_network.to_network(true) + 3, 5.0  # three pixels off
    (again,) = second_looks([box], [(image, to_network)], first, detected=True).values()
    second = np.full((1, 68, 4), 0.6, np.float32)
    second[..., :2], second[..., 3] = crop_map(again).to_network(true), second_sigma
    answers = iter([first, second])
    candidate = replace(CANDIDATE, network=lambda images: {"keypoints": next(answers)})

    @dataclass
    class One:
        protocol: str = "made up"

        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int) -> Example:
            look = FirstLook(frame, box, to_network)
            return replace(
                example(0, facts()), points=to_network.to_network(true), first=look, image=image
            )

    truth, found = predict(One(), [candidate])
    assert next(answers, None) is None
    away = np.linalg.norm(found["tiny"][0, :, :2] - truth.points[0], axis=1)
    np.testing.assert_allclose(away, 0 if better else np.hypot(3, 3), atol=0.01)
    scale = to_network.scale / crop_map(again).scale
    assert found["tiny"][0, 0, 3] == pytest.approx(second_sigma * scale if better else 5.0)
    assert found["tiny"][0, 0, 2] == pytest.approx(0.6 if better else 0.5)


def test_points_that_nobody_marked_do_not_count() -> None:
    class Unmarked(Faces):
        def __getitem__(self, index: int) -> Example:
            whole = super().__getitem__(index)
            gone = [5, 45]  # a jaw point and an outer eye corner
            whole.points[gone], whole.weight[gone] = np.nan, 0
            return whole

    truth, found = predict(Unmarked([None, None]), [CANDIDATE])
    errors = face_errors(truth, found["tiny"])
    assert np.isnan(errors["nme_io"]).all()  # no distance between the eyes
    assert errors["nme_box"][1] == pytest.approx(1 / np.sqrt(80 * 60), rel=1e-5)
    distances = point_distances(truth, found["tiny"])
    assert np.flatnonzero(np.isnan(distances[1])).tolist() == [5, 45]
    assert list(breakdowns(truth)) == ["whole set", "face size"]
    assert figures(errors, breakdowns(truth))["whole set"]["all"]["nme_io"] == {}


def test_groups_by_yaw_are_blind_to_its_sign_and_start_at_their_limit() -> None:
    yaws = [0, -19.9, 20, -44.9, 45, 69, -70, 91]
    truth, _ = predict(Faces([facts(yaw) for yaw in yaws]), [CANDIDATE])
    groups = breakdowns(truth)
    counts = {name: int(chosen.sum()) for name, chosen in groups["|yaw|, degrees"].items()}
    assert counts == {"0-20": 2, "20-45": 2, "45-70": 2, "70-90": 2}
    assert groups["whole set"]["|yaw| < 45"].tolist() == [True] * 4 + [False] * 4


def test_groups_by_size() -> None:
    groups = by_size(np.array([10, 24, 47, 48, 96, 300]))
    assert {name: int(chosen.sum()) for name, chosen in groups.items()} == {
        "<24 px": 1, "24-48 px": 2, "48-96 px": 1, ">96 px": 2,
    }  # fmt: skip
    assert list(by_size(np.array([300.0]))) == [">96 px"]  # groups of nobody are left out


def test_groups_by_what_hides_the_face_overlap() -> None:
    both = facts(glasses=True, cut=True)
    assert marks(both) == ("glasses", "cut")
    groups = by_fact([both, facts(mask=True), facts(black_hot=True)])
    assert {name: chosen.tolist() for name, chosen in groups["occlusion"].items()} == {
        "nothing": [False, False, True],
        "glasses": [True, False, False],
        "mask": [False, True, False],
        "cut": [True, False, False],
    }
    assert groups["polarity"]["black-hot"].tolist() == [False, False, True]


def test_groups_by_pose_take_both_directions() -> None:
    left, up = facts(-50), facts()
    up = replace(up, person=replace(up.person, pitch=-20, roll=45))
    groups = by_fact([left, up])
    assert groups["|yaw|, degrees"]["45-70"].tolist() == [True, False]
    assert groups["|pitch|, degrees"]["15-30"].tolist() == [False, True]
    assert "15-30" not in groups["|roll|, degrees"]


def test_figures_by_group() -> None:
    truth, found = predict(Faces([facts(0), facts(10), facts(60)]), [CANDIDATE])
    rows = figures(face_errors(truth, found["tiny"]), breakdowns(truth))
    assert rows["whole set"]["all"]["nme_io"]["mean"] == pytest.approx(1 / 40)
    assert rows["whole set"]["|yaw| < 45"]["nme_io"]["mean"] == pytest.approx(0.5 / 40)
    assert rows["|yaw|, degrees"]["45-70"]["faces"] == 1
    assert rows["|yaw|, degrees"]["45-70"]["nme_io"]["failure_rate_0.08"] == 0


def test_the_section_compares_and_draws_the_worst_first() -> None:
    faces = Faces([facts(30.0, occluder=i == 19) for i in range(20)])
    other = Candidate("landmarks", "other", Path("o"), "1" * 64, network, 256)
    section = landmark_section("Made up", faces, [CANDIDATE, other], draw=True)
    assert section.figures["tiny"] == section.figures["other"]
    assert section.figures["tiny"]["calibration"]["ratio"] == pytest.approx(1)
    assert section.glances[0].figure == "error over outer eye corners, |yaw| < 45"
    assert section.pictures[0].caption.startswith("tiny: face 19, error 0.274 (50 px, yaw 30, occ")
    assert len(section.pictures) == 24
    assert len(section.plots) == 5
    shown = text(section)
    assert "tiny" in shown and "other" in shown


def test_a_single_network_needs_no_column() -> None:
    section = landmark_section("Made up", Faces([facts()]), [CANDIDATE], draw=False)
    assert "network" not in section.tables[0].head
    assert (section.plots, section.pictures) == ((), ())
