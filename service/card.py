"""`card.json`: what a published model is, where it came from and how well it does.

Written by publishing, checked by the catalogue at load, served at `/models`. No web and no
pydantic, so that training may import it.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any, Final

from service.vision.face_score import FaceScore
from service.vision.verdict import VerdictLimits

TASKS: Final = ("landmarks", "detector")
PRECISIONS: Final = ("fp32", "fp16", "int8")
SCHEMAS: Final = ("ibug68",)

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class CardError(ValueError):
    """The card says something it may not say. The message names the field."""


@dataclass(frozen=True)
class Canary:
    """A version that `percent` of the requests get (1 to 99), on trial."""

    version: int
    percent: int

    def __post_init__(self) -> None:
        _need(_is_count(self.version), "canary.version", "a whole number from 1")
        fits = _is_count(self.percent) and self.percent < 100
        _need(fits, "canary.percent", "a whole number from 1 to 99")


@dataclass(frozen=True)
class ModelCard:
    """One published model. The fields with a default may be missing from the file.

    name: the model's folder in the repository.
    schema: landmark scheme; None for detectors.
    input_size: height and width in pixels.
    version: the version folder that this card describes.
    files: path inside the model's folder, e.g. `1/model.onnx` -> lower-case SHA-256.
    metrics: measured numbers, each set with the protocol that gives it.
    training: recipe, data and whatever else reproduces the weights; of a distilled network also
      its `teachers`, of one that began with another's weights its `start`: the first one first,
      each with the SHA-256 of its file.
    revision: the source revision that built it.
    normalisation: the gain control that it was trained on; requests with `auto` get it.
    verdict: limits for judging faces by their expected errors; None for a detector, and where
      sigma is not calibrated.
    face_score: weights of the score of a detected face; None where there are none.
    replaces: the version that served before this one was published; a rollback goes there.
    canary: another version, with a card in its own folder, that serves beside this one.
    """

    name: str
    task: str
    variant: str
    precision: str
    schema: str | None
    input_size: tuple[int, int]
    version: int
    files: Mapping[str, str]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    revision: str = "unknown"
    licence: str = "unknown"
    normalisation: str = "linear-v1"
    verdict: VerdictLimits | None = None
    face_score: FaceScore | None = None
    replaces: int | None = None
    canary: Canary | None = None

    def __post_init__(self) -> None:
        for name in ("name", "variant"):
            _need(_matches(_NAME, getattr(self, name)), name, "a short lower-case name")
        _need(self.task in TASKS, "task", f"one of {list(TASKS)}")
        _need(self.precision in PRECISIONS, "precision", f"one of {list(PRECISIONS)}")
        _check_schema(self.task, self.schema)
        _need(_is_size(self.input_size), "input_size", "[height, width] in pixels")
        _need(_is_count(self.version), "version", "a whole number from 1")
        _check_files(self.files)
        for name in ("metrics", "training"):
            _need(isinstance(getattr(self, name), Mapping), name, "an object")
        for name in ("teachers", "start"):
            _check_lineage(f"training.{name}", self.training.get(name, []))
        for name in ("revision", "licence", "normalisation"):
            value = getattr(self, name)
            _need(isinstance(value, str) and bool(value), name, "a non-empty string")
        if self.verdict is not None:
            _need(self.task == "landmarks", "verdict", "null for a detector")
        if self.face_score is not None:
            _need(self.task == "landmarks", "face_score", "null for a detector")
        fits = self.replaces is None or _is_count(self.replaces)
        _need(fits, "replaces", "null or a whole number from 1")
        same = self.canary is not None and self.canary.version == self.version
        _need(not same, "canary.version", "another version than the card's")


def parse_card(text: str) -> ModelCard:
    """The card in `text` (JSON). CardError names the field that is wrong, missing or unknown."""
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise CardError(f"not JSON: {error}") from None
    _need(isinstance(raw, dict), "card", "an object")
    known = fields(ModelCard)
    if unknown := sorted(set(raw) - {f.name for f in known}):
        raise CardError(f"unknown fields {unknown}")
    optional = {
        f.name for f in known if f.default_factory is not MISSING or f.default is not MISSING
    }
    if missing := [f.name for f in known if f.name not in raw and f.name not in optional]:
        raise CardError(f"missing fields {missing}")
    if isinstance(raw["input_size"], list):
        raw["input_size"] = tuple(raw["input_size"])
    for name, kind in (("verdict", VerdictLimits), ("face_score", FaceScore)):
        if raw.get(name) is not None:
            raw[name] = _calibrated(name, kind, raw[name])
    if raw.get("canary") is not None:
        raw["canary"] = _canary(raw["canary"])
    return ModelCard(**raw)


def card_json(card: ModelCard) -> str:
    """`card` as the text of its file, the fields in the order of the dataclass."""
    return json.dumps(asdict(card), indent=2, ensure_ascii=False) + "\n"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in lower-case hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _calibrated(
    name: str, kind: type[VerdictLimits] | type[FaceScore], raw: object
) -> VerdictLimits | FaceScore:
    names = [f.name for f in fields(kind)]
    _need(isinstance(raw, dict) and set(raw) == set(names), name, f"null or {names}")
    assert isinstance(raw, dict)
    try:
        return kind(**raw)
    except ValueError as error:
        raise CardError(f"{name}: {error}") from None


def _canary(raw: object) -> Canary:
    fits = isinstance(raw, dict) and set(raw) == {"version", "percent"}
    _need(fits, "canary", "null or an object with version and percent")
    assert isinstance(raw, dict)
    return Canary(**raw)


def _check_schema(task: str, schema: object) -> None:
    if task == "landmarks":
        _need(schema in SCHEMAS, "schema", f"one of {list(SCHEMAS)} for landmarks")
    else:
        _need(schema is None, "schema", "null for a detector")


def _check_files(files: object) -> None:
    _need(isinstance(files, Mapping) and bool(files), "files", "path -> SHA-256, at least one")
    assert isinstance(files, Mapping)
    for path, digest in files.items():
        parts = PurePosixPath(path).parts
        inside = bool(parts) and ".." not in parts and not path.startswith("/")
        _need(inside, "files", f"paths inside the model's folder, not {path!r}")
        _need(_matches(_SHA256, digest), "files", f"a SHA-256 of 64 hexadecimal digits for {path}")


def _check_lineage(name: str, networks: object) -> None:
    if isinstance(networks, Mapping):  # older cards have one object as `start`
        networks = [networks]
    known = isinstance(networks, list) and all(
        isinstance(one, Mapping) and _matches(_SHA256, one.get("sha256")) for one in networks
    )
    _need(known, name, "a list of objects, each with a sha256")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_size(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(map(_is_count, value))


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _need(condition: bool, name: str, expected: str) -> None:
    if not condition:
        raise CardError(f"{name}: must be {expected}")
