"""The model that the tests publish, and how it is seen to be served."""

from pathlib import Path

from service.card import ModelCard, file_sha256, parse_card
from service.model_config import read_model_config
from training.repository import version_card

NAME = "landmarks_t"


def served(repository: Path, name: str = NAME) -> ModelCard:
    """The card, once it, the configuration and the weights are seen to agree."""
    folder = repository / name
    card, config = parse_card((folder / "card.json").read_text()), read_model_config(folder)
    canary = card.canary.version if card.canary else None
    assert {*config.versions} == {card.version, canary} - {None}
    for version in config.versions:
        (weights,) = config.files(version)
        files = card.files if version == card.version else version_card(folder, version).files
        assert files == {weights: file_sha256(folder / weights)}
    return card
