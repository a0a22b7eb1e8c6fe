from pathlib import Path

import pytest
import torch

from tests import onnx_models
from tests.repositories import add_model, make_repository
from training.evaluation.candidates import (
    Candidate,
    NoPairs,
    distinct,
    file_candidate,
    pair,
    published_candidate,
)
from training.served import WrongNetwork


def candidate(label: str, digest: str) -> Candidate:
    return Candidate("landmarks", label, Path(label), digest * 8, lambda images: {}, 256)


def test_published_and_loose_files_are_called_alike(tmp_path: Path) -> None:
    repository = make_repository(tmp_path)
    published = published_candidate(repository, "landmarks_s", "landmarks")
    loose = file_candidate("landmarks", repository / "landmarks_s" / "1" / "model.onnx")
    assert published.label == loose.label == "landmarks_s v1"
    assert published.sha256 == loose.sha256
    assert loose.side == 256
    detector = file_candidate("detector", repository / "face_detector" / "1" / "model.onnx")
    assert detector.side == 320
    (tmp_path / "run_3").mkdir()
    run = tmp_path / "run_3" / "last.onnx"
    run.write_bytes(onnx_models.landmarks_model())
    assert file_candidate("landmarks", run).label == "run_3/last.onnx"


def test_a_repository_s_larger_detector_looks_too(tmp_path: Path) -> None:
    repository = make_repository(tmp_path)
    (alone,) = published_candidate(repository, "face_detector", "detector").looks
    assert alone == 320
    weights = onnx_models.detector_model(side=640)
    name, side = "face_detector_640", [640, 640]
    add_model(repository, name, weights, task="detector", variant="nano", input_size=side)
    found = published_candidate(repository, "face_detector", "detector")
    assert list(found.looks) == [320, 640]
    assert found.side == 320


def test_a_file_for_another_task_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(onnx_models.landmarks_model())
    with pytest.raises(WrongNetwork, match="detector need 'boxes'"):
        file_candidate("detector", file)
    with pytest.raises(WrongNetwork, match="no such file"):
        file_candidate("detector", tmp_path / "none.pt")


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"model": {}}, tmp_path / "odd.pt")
    with pytest.raises(WrongNetwork, match="lacks"):
        file_candidate("landmarks", tmp_path / "odd.pt")


def test_equal_labels_are_told_apart_and_equal_weights_told_once() -> None:
    given = [candidate("a", "0"), candidate("a", "1"), candidate("b", "2"), candidate("c", "0")]
    assert [c.label for c in distinct(given)] == ["a 000000", "a 111111", "b"]


def test_systems_are_pairs() -> None:
    one, two, three = (candidate(name, name) for name in "abc")
    assert [s.label for s in pair([one], [two, three])] == ["a + b", "a + c"]
    assert [s.label for s in pair([one, two], [two, three])] == ["a + b", "b + c"]
    assert [s.label for s in pair([one, two], [three])] == ["a + c", "b + c"]
    with pytest.raises(NoPairs, match="2 detectors and 3"):
        pair([one, two], [one, two, three])
