"""The folders of the model repository, each read and checked by itself."""

import hashlib
import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from service.backends.base import Device, ModelMetadata
from service.card import CardError, ModelCard, file_sha256, parse_card
from service.imaging.normalisation import NORMALISATIONS
from service.model_config import ModelConfig, ModelConfigError, read_model_config
from service.networks import (
    DetectorNetwork,
    LandmarkNetwork,
    detector_network,
    landmark_network,
)

log = logging.getLogger("thermal.catalogue")


class State(StrEnum):
    LOADING = "loading"
    READY = "ready"
    REFUSED = "refused"


@dataclass(frozen=True, eq=False)  # one is another's equal only if it is the same
class Model:
    """A version of a model that serves. `network` says how to call it."""

    card: ModelCard
    metadata: ModelMetadata
    network: DetectorNetwork | LandmarkNetwork

    @property
    def key(self) -> tuple[str, int]:
        """What the backend knows it by."""
        return self.card.name, self.card.version

    @property
    def device(self) -> Device:
        """What it runs on."""
        return self.metadata.device


@dataclass(frozen=True)
class Found:
    """What a folder of the repository holds; `problem` says why it cannot be served, if so.

    look: differs from the one before if anything has changed. canary: its own card, or why there
    is none although the card names one.
    """

    name: str
    look: str
    card: ModelCard | None = None
    config: ModelConfig | None = None
    canary: ModelCard | str | None = None
    problem: str | None = None


@dataclass
class Entry:
    """One folder of the repository: what it held at the last look, and what of it serves.

    reason: why it was refused; of a model that serves, why something newer in its folder does not.
    source: what `model` and `canary` were loaded from; `found`, unless that was refused.
    """

    found: Found
    state: State = State.LOADING
    reason: str | None = None
    source: Found | None = None
    model: Model | None = None
    canary: Model | None = None

    @property
    def name(self) -> str:
        return self.found.name

    @property
    def card(self) -> ModelCard | None:
        """Of what serves; while nothing does, of what should."""
        return (self.source or self.found).card

    @property
    def models(self) -> list[Model]:
        """What serves: the model, and its canary if there is one."""
        return [model for model in (self.model, self.canary) if model]

    def pick(self, request: str | None) -> Model | None:
        """The model for a request: the canary for its share, always the same one for the same id.

        A request without an id never gets the canary.
        """
        card = self.card
        if self.canary and request and card and card.canary:
            word = f"{self.name} {card.canary.version} {request}".encode()
            place = int.from_bytes(hashlib.sha256(word).digest()[:8]) / 2**64
            if place < card.canary.percent / 100:
                return self.canary
        return self.model


def scan(repository: Path, engines: Collection[str], only: Collection[str]) -> list[Found]:
    """What every folder with a name in `only` holds, or every one, by name."""
    if not repository.is_dir():
        log.error(
            "the model repository is not a folder", extra={"facts": {"path": str(repository)}}
        )
        return []
    names = sorted(folder.name for folder in repository.iterdir() if folder.is_dir())
    wanted = [name for name in names if not name.startswith(".") and (not only or name in only)]
    return [_find(repository / name, engines) for name in wanted]


def _find(folder: Path, engines: Collection[str]) -> Found:
    while True:
        found = _read(folder, engines)
        if _look(folder, found) == found.look:  # no publisher came in between
            return found


def _read(folder: Path, engines: Collection[str]) -> Found:
    card = config = canary = problem = None
    try:
        card = _read_card(folder, "card.json")
        config = read_model_config(folder)
        _check_config(card, config, engines)
        _check_card(folder.name, card, config)
        canary = _read_canary(folder, card, config)
    except (CardError, ModelConfigError) as error:
        problem = str(error)
    found = Found(folder.name, "", card, config, canary, problem)
    return replace(found, look=_look(folder, found))


def _look(folder: Path, found: Found) -> str:
    """Of the cards and the configuration the contents, of the weights what the disk says."""
    digest = hashlib.sha256()
    texts = ["card.json", "config.pbtxt"]
    weights: list[str] = []
    for card in (found.card, found.canary):
        if isinstance(card, ModelCard):
            texts.append(f"{card.version}/card.json")
            weights += card.files
    for name in texts:
        try:
            digest.update(name.encode() + (folder / name).read_bytes())
        except OSError:
            digest.update(b"-")
    for name in weights:
        try:
            told = (folder / name).stat()
            digest.update(f"{name} {told.st_size} {told.st_mtime_ns} {told.st_ino}".encode())
        except OSError:
            digest.update(b"-")
    return digest.hexdigest()


def _read_card(folder: Path, name: str) -> ModelCard:
    try:
        return parse_card((folder / name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise CardError(f"{name} is missing or cannot be read") from None


def _read_canary(folder: Path, card: ModelCard, config: ModelConfig) -> ModelCard | str | None:
    """A broken canary is no reason to refuse the model that it stands beside."""
    if card.canary is None:
        return None
    try:
        canary = _read_card(folder, f"{card.canary.version}/card.json")
        _check_card(folder.name, canary, config)
        if (canary.version, canary.task) != (card.canary.version, card.task):
            raise CardError(f"the card is of version {canary.version}, for {canary.task}")
    except CardError as error:
        return str(error)
    return canary


def _check_config(card: ModelCard, config: ModelConfig, engines: Collection[str]) -> None:
    if config.engine not in engines:
        raise ModelConfigError(f"the backend has no engine {config.engine!r}")
    told = {card.version} | ({card.canary.version} if card.canary else set())
    if told != set(config.versions):
        raise CardError(f"the card is of version {sorted(told)}, served is {[*config.versions]}")


def _check_card(name: str, card: ModelCard, config: ModelConfig) -> None:
    """Card, configuration and folder must speak of the same weights."""
    if card.name != name:
        raise CardError(f"the card is that of {card.name!r}")
    if missing := set(config.files(card.version)) - set(card.files):
        raise CardError(f"the card has no SHA-256 of {', '.join(sorted(missing))}")
    if card.normalisation not in NORMALISATIONS:
        raise CardError(f"normalisation {card.normalisation!r} is unknown")


def check_files(folder: Path, card: ModelCard) -> None:
    """CardError when a file is not the one that the card was written for."""
    for path, digest in card.files.items():
        if file_sha256(folder / path) != digest:
            raise CardError(f"SHA-256 of {path} does not match the card")


def check_version(card: ModelCard, metadata: ModelMetadata) -> None:
    """CardError when the backend serves another version than the one that the card describes."""
    if metadata.version != str(card.version):
        raise CardError(f"the backend serves version {metadata.version}, not {card.version}")


def network_of(card: ModelCard, metadata: ModelMetadata) -> DetectorNetwork | LandmarkNetwork:
    """How to call the model. NetworkError when the engine's metadata is of something else."""
    if card.task == "landmarks":
        return landmark_network(metadata)
    return detector_network(metadata, card.input_size)
