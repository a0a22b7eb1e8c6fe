"""The models of the repository: whether they serve, and which one a request gets."""

import asyncio
import logging
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from service.backends.base import Backend
from service.card import CardError, ModelCard
from service.entries import (
    Entry,
    Model,
    State,
    check_files,
    check_version,
    network_of,
    refuse,
    scan,
)
from service.errors import BackendError, BackendUnavailable, VariantUnavailable
from service.networks import NetworkError
from service.telemetry import Telemetry

log = logging.getLogger("thermal.catalogue")

# `auto` walks these: the most accurate first, the next one when that is missing or refused.
FALLBACK: Final = ("fp32", "fp16", "int8")


class Catalogue:
    """Reads the repository once; `load` then brings its models up, off the request path."""

    def __init__(
        self,
        repository: Path,
        *,
        engines: Collection[str],
        default_variant: str,
        default_precision: str,
        default_detector: str = "auto",
        only: Collection[str],
        telemetry: Telemetry,
    ) -> None:
        self._repository = repository
        self._default = default_variant, default_precision
        self._default_detector = default_detector
        self._telemetry = telemetry
        self._walks: dict[tuple[str, str | None, str, int | None], tuple[Entry, ...]] = {}
        self.entries = tuple(scan(repository, engines, only))
        cards = [entry.card for entry in self.entries if entry.card is not None]
        self._detector_sizes = sorted({c.input_size[0] for c in cards if c.task == "detector"})

    async def load(self, backend: Backend) -> None:
        """Check and load every model; the default ones first, so that readiness comes early.

        Call it again to load what a backend that was away lacks, or has lost. While it is away,
        models keep their state: whoever calls them hears of it at once.
        """
        for entry in sorted(self.entries, key=self._urgency):
            if entry.state is State.REFUSED:
                continue
            try:
                there = await backend.ready(entry.name)
                if entry.state is State.READY and not there:
                    self._lose(entry, backend.name)
                if entry.state is State.LOADING:
                    await self._load_one(entry, backend)
            except BackendError as error:  # no answer: nothing is known of the model
                if entry.state is State.LOADING:
                    entry.reason = str(error)

    async def _load_one(self, entry: Entry, backend: Backend) -> None:
        assert entry.card is not None and entry.config is not None
        try:
            await asyncio.to_thread(check_files, self._repository / entry.name, entry.card)
            await backend.load(entry.name)
            metadata = await backend.metadata(entry.name)
            check_version(entry.card, metadata)
            entry.model = Model(entry.card, metadata, network_of(entry.card, metadata))
        except BackendUnavailable:
            raise
        except (CardError, NetworkError, BackendError, OSError) as error:
            refuse(entry, "a file cannot be read" if isinstance(error, OSError) else str(error))
            return
        entry.state, entry.reason = State.READY, None
        card = entry.card
        self._telemetry.model_info.labels(*_labels(card, backend.name)).set(1)
        self._telemetry.inference_duration.labels(card.name, backend.name)
        log.info("model loaded", extra={"facts": {"model": card.name, "version": card.version}})

    def _lose(self, entry: Entry, backend: str) -> None:
        assert entry.card is not None
        entry.state, entry.model = State.LOADING, None
        self._telemetry.model_info.remove(*_labels(entry.card, backend))
        log.warning("the backend lost a model", extra={"facts": {"model": entry.name}})

    def landmarks(self, variant: str | None, precision: str | None) -> Model:
        """The landmark model for a request; None stands for the default.

        VariantUnavailable lists what there is; BackendUnavailable when the default itself is
        missing, or the model is still loading.
        """
        walk = self._walk("landmarks", variant or self._default[0], precision or self._default[1])
        if found := _first_ready(walk):
            return found
        if any(entry.state is State.LOADING for entry in walk):
            raise BackendUnavailable("the model is still loading")
        available = self.available()
        if variant is None and precision is None:
            raise BackendUnavailable("the default landmark model is not there", available=available)
        wanted = f"variant {variant or self._default[0]!r}, precision {precision or 'auto'!r}"
        raise VariantUnavailable(f"no model for {wanted}", available=available)

    def detectors(self, precision: str | None, size: str | None = None) -> tuple[Model, ...]:
        """The detectors a request may run on, one an input size, the smallest first; not empty.

        Each in the precision asked for or else the best there is: none is refused for want of a
        precision, the answer says which one ran. size: `auto` for all sizes, or the input's side
        in pixels; None stands for the default. VariantUnavailable when a size that was asked for
        is not there, BackendUnavailable when the default is not, or is still loading.
        """
        wanted, precision = size or self._default_detector, precision or self._default[1]
        by_size = {
            side: _first_ready(self._walk("detector", None, precision, side))
            or _first_ready(self._walk("detector", None, "auto", side))
            for side in self._detector_sizes
        }
        fitting = [side for side in by_size if wanted in ("auto", str(side))]
        if found := tuple(model for side in fitting if (model := by_size[side])):
            return found
        walks = [self._walk("detector", None, "auto", side) for side in fitting]
        if any(entry.state is State.LOADING for walk in walks for entry in walk):
            raise BackendUnavailable("the face detector is still loading")
        if size in (None, "auto"):
            raise BackendUnavailable("no face detector is loaded; boxes may be sent instead")
        available = [side for side, model in by_size.items() if model]
        raise VariantUnavailable(f"no face detector of {size} pixels", available=available)

    def available(self) -> list[dict[str, str]]:
        """Variants and precisions of the landmark models that serve."""
        models = (entry.model for entry in self.entries if entry.model)
        return [
            {"variant": model.card.variant, "precision": model.card.precision}
            for model in models
            if model.card.task == "landmarks"
        ]

    def missing(self) -> list[str]:
        """What keeps a request without options from being served; empty when nothing does."""
        needs = self._needs().items()
        return [f"{need}: {_why(walk)}" for need, walk in needs if not _first_ready(walk)]

    def default_models(self) -> list[str]:
        """Names of the models that a request without options runs on, as far as they serve."""
        found = (_first_ready(walk) for walk in self._needs().values())
        return [model.card.name for model in found if model]

    def _needs(self) -> dict[str, tuple[Entry, ...]]:
        variant, precision = self._default
        return {
            "face detector": self._walk("detector", None, "auto", self._default_size()),
            f"landmarks {variant} {precision}": self._walk("landmarks", variant, precision),
        }

    def _default_size(self) -> int | None:
        """Of the detector, if the settings name one."""
        return None if self._default_detector == "auto" else int(self._default_detector)

    def _walk(
        self, task: str, variant: str | None, precision: str, size: int | None = None
    ) -> tuple[Entry, ...]:
        """Entries that could serve, the best first. The set of entries never changes: cached."""
        key = task, variant, precision, size
        if key not in self._walks:
            order = FALLBACK if precision == "auto" else (precision,)
            fitting = [
                (order.index(card.precision), entry.name, entry)
                for entry in self.entries
                if (card := entry.card) is not None
                and card.task == task
                and card.variant == (variant or card.variant)
                and card.input_size[0] == (size or card.input_size[0])
                and card.precision in order
            ]
            self._walks[key] = tuple(entry for _, _, entry in sorted(fitting, key=lambda f: f[:2]))
        return self._walks[key]

    def _urgency(self, entry: Entry) -> tuple[bool, str]:
        return not any(entry in walk for walk in self._needs().values()), entry.name


def _labels(card: ModelCard, backend: str) -> tuple[str, ...]:
    return card.name, card.task, card.variant, card.precision, str(card.version), backend


def _first_ready(walk: Iterable[Entry]) -> Model | None:
    return next((entry.model for entry in walk if entry.model), None)


def _why(walk: Collection[Entry]) -> str:
    if not walk:
        return "not in the repository"
    return "; ".join(f"{entry.name} {entry.reason or entry.state}" for entry in walk)
