import json
from pathlib import Path
from typing import Any

import pytest

from service.card import Canary, CardError, ModelCard, card_json, file_sha256, parse_card

LIMITS = {"max_error": 0.08, "fine_error": 0.1, "small_size": 14.5}
WEIGHTS = {"bias": -5.0, "detector": 2.0, "error": -1.6, "size": -1.5, "error_by_size": -0.6}
RAW: dict[str, Any] = {
    "name": "landmarks_t",
    "task": "landmarks",
    "variant": "t",
    "precision": "fp32",
    "schema": "ibug68",
    "input_size": [256, 256],
    "version": 1,
    "files": {"1/model.onnx": "0" * 64},
}


def test_round_trip() -> None:
    card = parse_card(json.dumps({**RAW, "metrics": {"nme": 0.05}, "licence": "Apache-2.0"}))
    assert card.input_size == (256, 256)
    assert card.normalisation == "linear-v1"
    assert parse_card(card_json(card)) == card


def test_a_distilled_network_names_its_teachers() -> None:
    teachers = [{"file": "last.pt", "sha256": "0" * 64, "variant": "l"}]
    card = parse_card(json.dumps({**RAW, "training": {"teachers": teachers}}))
    assert parse_card(card_json(card)).training["teachers"] == teachers


@pytest.mark.parametrize("several", [True, False])  # older cards have one object
def test_what_a_network_started_from(several: bool) -> None:
    first = {"file": "last.pt", "sha256": "0" * 64}
    start = [first, first] if several else first
    card = parse_card(json.dumps({**RAW, "training": {"start": start}}))
    assert parse_card(card_json(card)).training["start"] == start


def test_limits_of_the_verdict() -> None:
    card = parse_card(json.dumps({**RAW, "verdict": LIMITS}))
    assert card.verdict is not None
    assert card.verdict.small_size == 14.5
    assert parse_card(card_json(card)) == card
    assert parse_card(json.dumps({**RAW, "verdict": None})).verdict is None


def test_weights_of_the_score_of_a_face() -> None:
    card = parse_card(json.dumps({**RAW, "face_score": WEIGHTS}))
    assert card.face_score is not None
    assert card.face_score.error == -1.6
    assert parse_card(card_json(card)) == card
    assert parse_card(json.dumps({**RAW, "face_score": None})).face_score is None


def test_a_canary() -> None:
    card = parse_card(json.dumps({**RAW, "replaces": 3, "canary": {"version": 2, "percent": 5}}))
    assert (card.replaces, card.canary) == (3, Canary(2, 5))
    assert parse_card(card_json(card)) == card


def test_minimal_card() -> None:
    card = parse_card(json.dumps(RAW))
    assert isinstance(card, ModelCard)
    assert card.revision == "unknown"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"task": "pose"}, "task"),
        ({"precision": "fp64"}, "precision"),
        ({"name": "Land Marks"}, "name"),
        ({"variant": ""}, "variant"),
        ({"schema": None}, "schema"),
        ({"schema": "wflw98"}, "schema"),
        ({"task": "detector"}, "schema"),
        ({"input_size": [256]}, "input_size"),
        ({"input_size": [256, 0]}, "input_size"),
        ({"input_size": "256x256"}, "input_size"),
        ({"version": 0}, "version"),
        ({"replaces": 0}, "replaces"),
        ({"canary": 2}, "canary"),
        ({"canary": {"version": 2}}, "canary"),
        ({"canary": {"version": 1, "percent": 5}}, "canary.version"),
        ({"canary": {"version": 2, "percent": 100}}, "canary.percent"),
        ({"canary": {"version": 2, "percent": 0.5}}, "canary.percent"),
        ({"version": True}, "version"),
        ({"files": {}}, "files"),
        ({"files": {"../model.onnx": "0" * 64}}, "files"),
        ({"files": {"/model.onnx": "0" * 64}}, "files"),
        ({"files": {"1/model.onnx": "abc"}}, "files"),
        ({"metrics": []}, "metrics"),
        ({"licence": ""}, "licence"),
        ({"training": {"teachers": {}}}, "training.teachers"),
        ({"training": {"start": ["last.pt"]}}, "training.start"),
        ({"training": {"start": {"file": "last.pt"}}}, "training.start"),
        ({"training": {"teachers": [{"file": "last.pt"}]}}, "training.teachers"),
        ({"training": {"teachers": [{"sha256": "abc"}]}}, "training.teachers"),
        ({"verdict": []}, "verdict"),
        ({"verdict": {"max_error": 0.1}}, "verdict"),
        ({"verdict": {**LIMITS, "fine_error": 0}}, "fine_error"),
        ({"verdict": {**LIMITS, "colour": 1}}, "verdict"),
        ({"verdict": LIMITS, "task": "detector", "schema": None}, "verdict"),
        ({"face_score": {"bias": 0}}, "face_score"),
        ({"face_score": {**WEIGHTS, "error": None}}, "error"),
        ({"face_score": WEIGHTS, "task": "detector", "schema": None}, "face_score"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_errors_name_the_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(CardError, match=field):
        parse_card(json.dumps({**RAW, **change}))


@pytest.mark.parametrize("field", sorted(RAW))
def test_missing_fields(field: str) -> None:
    with pytest.raises(CardError, match=field):
        parse_card(json.dumps({key: value for key, value in RAW.items() if key != field}))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"card"'])
def test_not_a_card(text: str) -> None:
    with pytest.raises(CardError):
        parse_card(text)


def test_file_sha256(tmp_path: Path) -> None:
    file = tmp_path / "empty"
    file.write_bytes(b"")
    assert file_sha256(file).startswith("e3b0c44298fc1c14")
