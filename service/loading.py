"""Versions of models come up in the backend, and go once nobody uses them: off the request path."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from service.backends.base import Backend
from service.card import CardError, ModelCard
from service.entries import (
    Entry,
    Found,
    Model,
    State,
    check_files,
    check_version,
    network_of,
)
from service.errors import BackendError, BackendUnavailable, InferenceFailed, ModelNotFound
from service.networks import NetworkError
from service.telemetry import Telemetry

log = logging.getLogger("thermal.catalogue")
# The files' own faults. All else that a backend says (away, busy, too slow, just started without
# any model) may pass: such a load is tried again.
_REFUSALS = (CardError, NetworkError, InferenceFailed, OSError)
_DEATHS: Final = 3  # of the backend while it loads a version; the first ones may be a coincidence

_Weights = tuple[str, int, frozenset[tuple[str, str]]]


class Loader:
    """For one event loop. Its calls must not overlap: the catalogue holds a lock.

    grace: seconds that a version out of use stays loaded at least: other gateways of the same
    Triton may not have seen the new one yet.
    """

    def __init__(self, repository: Path, telemetry: Telemetry, grace: float) -> None:
        self._repository = repository
        self._telemetry = telemetry
        self._grace = grace
        self._users: Counter[Model] = Counter()
        self._retired: dict[Model, float] = {}  # and since when
        self._proven: set[_Weights] = set()  # have come up once
        self._deaths: Counter[_Weights] = Counter()  # of the backend, by what it was loading

    @contextmanager
    def using(self, models: Collection[Model]) -> Iterator[None]:
        """They stay loaded for so long, also if newer ones take their place."""
        self._users.update(models)
        try:
            yield
        finally:
            self._users.subtract(models)
            self._users += Counter()  # drops the zeros

    async def bring_up(self, entry: Entry, found: Found, backend: Backend) -> None:
        """Make `found` what serves. Where that fails, what served before serves on.

        BackendError: nothing has changed, try again.
        """
        if found.problem is not None:
            return refuse(entry, found, found.problem, found.card)
        assert found.card is not None
        before = entry.models
        try:
            model = await self._load(entry, found.card, backend)
        except _REFUSALS as error:
            return refuse(entry, found, _told(error), found.card)
        canary, reason = await self._bring_up_canary(entry, found, backend)
        entry.found = entry.source = found
        entry.model, entry.canary, entry.state, entry.reason = model, canary, State.READY, reason
        for old in before:
            if old not in entry.models:
                self._retired[old] = time.monotonic()
        for new in entry.models:
            self._tell(new, backend.name)

    async def _bring_up_canary(
        self, entry: Entry, found: Found, backend: Backend
    ) -> tuple[Model | None, str | None]:
        """The canary, or why there is none; its failure is no reason to stop its neighbour."""
        if found.canary is None:
            return None, None
        try:
            if isinstance(found.canary, str):
                raise CardError(found.canary)
            return await self._load(entry, found.canary, backend), None
        except _REFUSALS as error:
            reason = f"canary refused: {_told(error)}"
            if reason != entry.reason:  # those that served are tried again and again
                log.error(
                    "canary refused", extra={"facts": {"model": entry.name, "reason": reason}}
                )
            return None, reason

    async def _load(self, entry: Entry, card: ModelCard, backend: Backend) -> Model:
        """The version of `card`. One that serves already is not loaded again: what a changed
        configuration says of it holds from its next load on."""
        for known in entry.models:
            if known.key == (card.name, card.version) and known.card.files == card.files:
                return known if known.card == card else Model(card, known.metadata, known.network)
        await backend.ready(card.name, card.version)  # is anybody there? Else no file is read
        await asyncio.to_thread(check_files, self._repository / card.name, card)
        await self._load_weights(card, backend)
        try:
            metadata = await backend.metadata(card.name, card.version)
            check_version(card, metadata)
            model = Model(card, metadata, network_of(card, metadata))
        except (CardError, NetworkError):
            if (card.name, card.version) not in {model.key for model in entry.models}:
                with suppress(BackendError):
                    await backend.unload(card.name, card.version)
            raise
        self._proven.add(_weights(card))
        log.info("model loaded", extra={"facts": _facts(model)})
        return model

    async def _load_weights(self, card: ModelCard, backend: Backend) -> None:
        """InferenceFailed, without another try, for a version that took the backend down with it
        `_DEATHS` times: each of them costs all models an outage. What came up before is not blamed.
        """
        weights = _weights(card)
        if self._deaths[weights] < _DEATHS:
            try:
                return await backend.load(card.name, card.version)
            except BackendUnavailable:
                if weights not in self._proven and await _is_away(card, backend):
                    self._deaths[weights] += 1
                if self._deaths[weights] < _DEATHS:
                    raise
        raise InferenceFailed("the backend goes away while loading it")

    def lose(self, entry: Entry, lost: Collection[Model], backend: Backend) -> None:
        """The backend has not these, of what serves: they must come up anew.

        A model serves on without its canary, but no canary without its model.
        """
        if entry.model in lost:
            lost = entry.models
            entry.state, entry.model = State.LOADING, None
        entry.canary = None
        for model in lost:
            self._forget(model, backend.name)
            log.warning("the backend lost a model", extra={"facts": _facts(model)})

    def lacks_canary(self, entry: Entry) -> bool:
        """Whether a canary that came up before is missing; one that never did stays refused."""
        canary = entry.source.canary if entry.source and entry.canary is None else None
        return isinstance(canary, ModelCard) and _weights(canary) in self._proven

    async def unload_retired(self, entries: Collection[Entry], backend: Backend) -> None:
        """Unload what is out of use, once nobody uses it any more and the grace is over."""
        in_use = {model.key for entry in entries for model in entry.models}
        for model, since in list(self._retired.items()):
            if self._users[model] or time.monotonic() < since + self._grace:
                continue
            if model.key not in in_use:  # else it came back, or got a new card
                try:
                    await backend.unload(*model.key)
                except ModelNotFound:
                    pass
                except BackendError:
                    continue
                self._forget(model, backend.name)
                log.info("model unloaded", extra={"facts": _facts(model)})
            del self._retired[model]

    def _tell(self, model: Model, backend: str) -> None:
        self._telemetry.model_info.labels(*_labels(model, backend)).set(1)
        self._telemetry.inference_duration.labels(model.card.name, str(model.card.version), backend)

    def _forget(self, model: Model, backend: str) -> None:
        with suppress(KeyError):
            self._telemetry.model_info.remove(*_labels(model, backend))
        with suppress(KeyError):
            self._telemetry.inference_duration.remove(
                model.card.name, str(model.card.version), backend
            )


def refuse(entry: Entry, found: Found, reason: str, card: ModelCard | None) -> None:
    """It does not serve, and `reason`, fit for a client, says why."""
    if found is not entry.source:  # else what is newer than `source` would be tried anew
        entry.found = found
    told = entry.reason
    if entry.model is None:
        entry.state, entry.reason = State.REFUSED, reason
    else:
        new = f"version {card.version} " if card else ""
        served = entry.model.card.version
        entry.reason = f"{new}refused: {reason}; version {served} serves on"
    if entry.reason != told:  # one that served is tried again and again
        log.error("model refused", extra={"facts": {"model": entry.name, "reason": entry.reason}})


async def _is_away(card: ModelCard, backend: Backend) -> bool:
    """Whether nobody answers; a load that just took too long leaves a backend that does."""
    try:
        await backend.ready(card.name, card.version)
    except BackendError as error:
        return isinstance(error, BackendUnavailable)
    return False


def _weights(card: ModelCard) -> _Weights:
    return card.name, card.version, frozenset(card.files.items())


def _told(error: Exception) -> str:
    return "a file cannot be read" if isinstance(error, OSError) else str(error)


def _facts(model: Model) -> dict[str, object]:
    return {"model": model.card.name, "version": model.card.version, "device": model.device}


def _labels(model: Model, backend: str) -> tuple[str, ...]:
    card, device = model.card, model.device
    return card.name, card.task, card.variant, card.precision, str(card.version), backend, device
