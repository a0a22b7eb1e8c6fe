"""The models of the repository: whether they serve, and which one a request gets."""

import asyncio
import logging
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from service.backends.base import Backend
from service.entries import Entry, Model, State, scan
from service.errors import BackendError, BackendUnavailable, VariantUnavailable
from service.loading import Loader, refuse
from service.telemetry import Telemetry, request_id
from service.walk import first_ready

log = logging.getLogger("thermal.catalogue")

_GONE: Final = "its folder is gone; what was loaded from it serves on"


class Catalogue:
    """`load` brings the repository's models up, `refresh` what is new in it: off the request path.

    `using` is what a request holds its models in.
    """

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
        grace: float = 0.0,
    ) -> None:
        self._repository, self._engines, self._only = repository, engines, only
        self._default = default_variant, default_precision
        self._default_detector = default_detector
        self._loader = Loader(repository, telemetry, grace)
        self._lock = asyncio.Lock()  # loads never overlap
        self._list([Entry(found) for found in scan(repository, engines, only)])
        for entry in self.entries:
            if entry.found.problem is not None:
                refuse(entry, entry.found, entry.found.problem, entry.card)
        for name in set(only) - {entry.name for entry in self.entries}:
            log.error("a model to load is not in the repository", extra={"facts": {"model": name}})

    def _list(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(sorted(entries, key=lambda entry: entry.name))
        cards = [entry.card for entry in self.entries if entry.card is not None]
        self._detector_sizes = sorted({c.input_size[0] for c in cards if c.task == "detector"})

    def using(self, models: Collection[Model]) -> AbstractContextManager[None]:
        """For a request that runs on them: they stay loaded, also if newer ones take their place.

        To be entered before anything is awaited.
        """
        return self._loader.using(models)

    async def load(self, backend: Backend) -> None:
        """Check and load every model; the default ones first, so that readiness comes early.

        Call it again to load what a backend that was away lacks, or has lost, and to unload what
        is out of use. While it is away, models keep their state: whoever calls them hears of it.
        """
        async with self._lock:
            await self._loader.unload_retired(self.entries, backend)
            for entry in sorted(self.entries, key=self._urgency):
                # What has served is tried again even if its reload failed: that may have passed.
                if entry.state is not State.REFUSED or entry.source is not None:
                    await self._keep(entry, backend)

    async def _keep(self, entry: Entry, backend: Backend) -> None:
        try:
            there = {model: await backend.ready(*model.key) for model in entry.models}
            if not all(there.values()):
                self._loader.lose(entry, [model for model in there if not there[model]], backend)
            if entry.state is not State.READY or self._loader.lacks_canary(entry):
                await self._loader.bring_up(entry, entry.source or entry.found, backend)
        except BackendError as error:  # no answer: nothing is known of the model
            if entry.state is State.LOADING:
                entry.reason = str(error)

    async def refresh(self, backend: Backend) -> None:
        """Look at the repository again and serve what is new in it; what serves is not disturbed.

        What cannot be served is refused: what served before serves on, and the entry says why.
        """
        async with self._lock:
            found = await asyncio.to_thread(scan, self._repository, self._engines, self._only)
            known = {entry.name: entry for entry in self.entries}
            changed = [one for one in found if one != getattr(known.get(one.name), "found", None)]
            gone = set(known) - {one.name for one in found}
            for one in changed:
                entry = known.setdefault(one.name, Entry(one))
                with suppress(BackendError):  # nothing has changed: the next look tries again
                    await self._loader.bring_up(entry, one, backend)
            for name in gone:
                self._let_go(known, name)
            if changed or gone:
                self._list(known.values())

    def _let_go(self, known: dict[str, Entry], name: str) -> None:
        """Its folder is gone: what serves is in memory and serves on."""
        if not known[name].models:
            del known[name]
        elif known[name].reason != _GONE:
            known[name].reason = _GONE
            known[name].found = replace(known[name].found, look="")  # it may come back
            log.error("model gone", extra={"facts": {"model": name, "reason": _GONE}})

    def landmarks(self, variant: str | None, precision: str | None) -> Model:
        """The landmark model for a request; None stands for the default.

        VariantUnavailable lists what there is; BackendUnavailable when the default itself is
        missing, or the model is still loading.
        """
        fitting = self._fitting(
            "landmarks", variant or self._default[0], precision or self._default[1]
        )
        if found := first_ready(fitting, request_id.get()):
            return found
        if any(entry.state is State.LOADING for entry in fitting):
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
        request = request_id.get()
        by_size = {
            side: first_ready(self._fitting("detector", None, precision, side), request)
            or first_ready(self._fitting("detector", None, "auto", side), request)
            for side in self._detector_sizes
        }
        sides = [side for side in by_size if wanted in ("auto", str(side))]
        if found := tuple(model for side in sides if (model := by_size[side])):
            return found
        fitting = (self._fitting("detector", None, "auto", side) for side in sides)
        if any(entry.state is State.LOADING for entries in fitting for entry in entries):
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
        return [f"{need}: {_why(fitting)}" for need, fitting in needs if not first_ready(fitting)]

    def default_models(self) -> list[Model]:
        """The models that a request without options runs on, as far as they serve."""
        found = (first_ready(fitting) for fitting in self._needs().values())
        return [model for model in found if model]

    def auto_models(self) -> list[Model]:
        """What precision `auto` takes now: for each detector size, then for each variant."""
        cards = [entry.card for entry in self.entries if entry.card is not None]
        variants = sorted({card.variant for card in cards if card.task == "landmarks"})
        fitting = [self._fitting("detector", None, "auto", side) for side in self._detector_sizes]
        fitting += [self._fitting("landmarks", variant, "auto") for variant in variants]
        return [model for entries in fitting if (model := first_ready(entries))]

    def _needs(self) -> dict[str, list[Entry]]:
        variant, precision = self._default
        return {
            "face detector": self._fitting("detector", None, "auto", self._default_size()),
            f"landmarks {variant} {precision}": self._fitting("landmarks", variant, precision),
        }

    def _default_size(self) -> int | None:
        """Of the detector, if the settings name one."""
        return None if self._default_detector == "auto" else int(self._default_detector)

    def _fitting(
        self, task: str, variant: str | None, precision: str, size: int | None = None
    ) -> list[Entry]:
        """What a request may run on if it serves. None stands for any."""
        return [
            entry
            for entry in self.entries
            if (card := entry.card) is not None
            and card.task == task
            and card.variant == (variant or card.variant)
            and card.input_size[0] == (size or card.input_size[0])
            and precision in ("auto", card.precision)
        ]

    def _urgency(self, entry: Entry) -> tuple[bool, str]:
        return not any(entry in fitting for fitting in self._needs().values()), entry.name


def _why(fitting: Collection[Entry]) -> str:
    if not fitting:
        return "not in the repository"
    return "; ".join(f"{entry.name} {entry.reason or entry.state}" for entry in fitting)
