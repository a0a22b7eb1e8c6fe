from pathlib import Path

import numpy as np
import pytest

from service.vision.crop import letterbox_map
from training.evaluation.candidates import Candidate
from training.evaluation.detection import Detections, SyntheticFrames, detect, figures
from training.evaluation.detector_section import detector_section
from training.served import Outputs
from training.synthesis.pool import write_shard

FACES = np.array([[0, 0, 20, 20], [100, 100, 200, 200]], np.float32)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> SyntheticFrames:
    folder = tmp_path_factory.mktemp("pool")
    for kind in ("portrait", "figure"):
        write_shard(folder, None, kind, 0, 0, persons=6)
    return SyntheticFrames(folder, "all", 8, seed=1)


def oracle(frames: SyntheticFrames) -> Candidate:
    """Finds every labelled face twice, the second time with less confidence."""
    calls = iter(range(len(frames)))

    def network(images: np.ndarray) -> Outputs:
        boxes, scores = np.zeros((len(images), 100, 4), np.float32), np.zeros((len(images), 100))
        for row in range(len(images)):
            frame = frames[next(calls)]
            count, (height, width) = len(frame.boxes), frame.values.shape
            faces = letterbox_map(width, height).to_network(frame.boxes.reshape(-1, 2, 2))
            boxes[row, : 2 * count] = np.tile(faces.reshape(-1, 4), (2, 1))
            scores[row, : 2 * count] = np.repeat([0.9, 0.5], count)
        return {"boxes": boxes, "scores": scores}

    return Candidate("detector", "oracle", Path("o"), "0" * 64, network, 320)


def test_what_an_oracle_finds_is_all_there_is(frames: SyntheticFrames) -> None:
    section = detector_section("Made up", frames, [oracle(frames)], 0.3, draw=True)
    everyone = section.figures["oracle"]["all"]
    assert everyone["faces"] > 0
    assert (everyone["recall"], everyone["ap"]) == (1, pytest.approx(1))
    assert everyone["precision"] == 1
    assert len(section.plots) == 1


def test_boxes_come_back_in_frame_pixels(frames: SyntheticFrames) -> None:
    found = detect(frames, [oracle(frames)])["oracle"]
    for index, in_frame in enumerate(found):
        sure = in_frame.boxes[in_frame.scores > 0.8]
        order = [np.abs(sure - box).max(axis=1).argmin() for box in frames[index].boxes]
        np.testing.assert_allclose(sure[order], frames[index].boxes, atol=1e-2)


def test_sizes_are_those_of_the_frame() -> None:
    image = Detections(FACES[1:], np.array([0.9]), FACES, np.zeros(2, bool))
    rows = figures([image], 0.3)
    assert (rows["<24 px"]["faces"], rows["<24 px"]["recall"]) == (1, 0)
    assert (rows[">96 px"]["faces"], rows[">96 px"]["recall"]) == (1, 1)
    assert rows["24-48 px"]["faces"] == 0
    assert np.isnan(rows["24-48 px"]["ap"])


def test_recall_holds_at_the_score_that_was_asked() -> None:
    image = Detections(FACES, np.array([0.9, 0.4]), FACES, np.zeros(2, bool))
    assert figures([image], 0.5)["all"]["recall"] == 0.5
    assert figures([image], 0.3)["all"]["recall"] == 1
