"""The folders of the model repository, each read and checked by itself."""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from service.backends.base import ModelMetadata
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


@dataclass(frozen=True)
class Model:
    """A model that serves. `network` says how to call it."""

    card: ModelCard
    metadata: ModelMetadata
    network: DetectorNetwork | LandmarkNetwork


@dataclass
class Entry:
    """One folder of the repository. `reason` says why it was refused."""

    name: str
    card: ModelCard | None
    config: ModelConfig | None
    state: State = State.LOADING
    reason: str | None = None
    model: Model | None = None


def scan(repository: Path, engines: Collection[str], only: Collection[str]) -> Iterable[Entry]:
    """Every folder with a name in `only`, or every one; those that do not fit are refused."""
    if not repository.is_dir():
        log.error(
            "the model repository is not a folder", extra={"facts": {"path": str(repository)}}
        )
        return
    names = sorted(folder.name for folder in repository.iterdir() if folder.is_dir())
    for name in set(only) - set(names):
        log.error("a model to load is not in the repository", extra={"facts": {"model": name}})
    for name in names:
        if name.startswith(".") or (only and name not in only):
            continue
        entry = Entry(name, None, None)
        try:
            entry.card = _read_card(repository / name)
            entry.config = read_model_config(repository / name)
            _check_agreement(name, entry.card, entry.config, engines)
        except (CardError, ModelConfigError) as error:
            refuse(entry, str(error))
        yield entry


def refuse(entry: Entry, reason: str) -> None:
    """It does not serve, and `reason`, fit for a client, says why."""
    entry.state, entry.reason = State.REFUSED, reason
    log.error("model refused", extra={"facts": {"model": entry.name, "reason": reason}})


def _read_card(folder: Path) -> ModelCard:
    try:
        return parse_card((folder / "card.json").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise CardError("card.json is missing or cannot be read") from None


def _check_agreement(
    name: str, card: ModelCard, config: ModelConfig, engines: Collection[str]
) -> None:
    """Card, configuration and folder must speak of the same weights."""
    if card.name != name:
        raise CardError(f"the card is that of {card.name!r}")
    if config.engine not in engines:
        raise ModelConfigError(f"the backend has no engine {config.engine!r}")
    if card.version != config.version:
        raise CardError(f"the card is of version {card.version}, served is {config.version}")
    if config.weights not in card.files:
        raise CardError(f"the card has no SHA-256 of {config.weights}")
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
