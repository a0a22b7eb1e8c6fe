"""Which of a model's published versions serves: the step forward, and the step back."""

from dataclasses import replace
from pathlib import Path

from service.card import ModelCard
from training.contract import Refused, config_of
from training.repository import (
    earlier,
    locked,
    serve_version,
    served_card,
    version_card,
)


def promote(name: str, repository: Path) -> ModelCard:
    """Serve the canary to all requests. Refused without one, or when its files are damaged."""
    with locked(repository):
        current = _current(name, repository)
        if current.canary is None:
            raise Refused(f"{name}: there is no canary; version {current.version} is served to all")
        return _serve(repository / name, current.canary.version)


def rollback(name: str, repository: Path) -> ModelCard:
    """End the trial of the canary or, without one, serve the version that was served before.

    The folder of the version that goes out of service stays until the next publication, so that
    its number is not given twice. Refused when there is nothing to go back to.
    """
    with locked(repository):
        current = _current(name, repository)
        if current.canary is not None:
            return _serve(repository / name, current.version)
        before = earlier(repository / name, current)
        if not before:
            raise Refused(f"{name}: no version before {current.version} is there to go back to")
        return _serve(repository / name, before[0])


def _current(name: str, repository: Path) -> ModelCard:
    current = served_card(repository / name)
    if current is None:
        raise Refused(f"{name}: nothing is published")
    return current


def _serve(folder: Path, version: int) -> ModelCard:
    card = replace(version_card(folder, version), canary=None)
    serve_version(folder, card, config_of(card))
    return card
