"""The client without asyncio: the asyncio one, on an event loop in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack, overload

from service.client.aio import AsyncThermalClient
from service.client.answers import Answer, Failure
from service.client.connection import DEFAULT_SERVER
from service.client.errors import ClientError
from service.client.frames import Source
from service.client.requests import Options, StreamOptions
from service.client.retry import Retry
from service.client.streaming import Streaming, log_retry
from service.entities import Prediction

T = TypeVar("T")


class ThermalClient:
    """Landmarks by gRPC. Use it as a context, from any thread; see `AsyncThermalClient`."""

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        *,
        token: str | None = None,
        tls: bool = False,
        ca: Path | None = None,
        retry: Retry = Retry(),  # noqa: B008  # frozen
    ) -> None:
        self._client = AsyncThermalClient(server, token=token, tls=tls, ca=ca, retry=retry)
        self._lock = threading.RLock()  # an iterator may be collected while it is held
        self._closed = False  # from then on, nothing is given to the loop
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_without_grpc_noise)
        self._thread = threading.Thread(target=self._serve, name="thermal client", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all streams and calls, from any thread but the client's own."""
        with self._lock:
            if self._closed:
                return
            self._check()
            self._closed = True
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @overload
    def detect(
        self, images: bytes, *, timeout: float | None = None, **options: Unpack[Options]
    ) -> Prediction: ...
    @overload
    def detect(
        self, images: Sequence[bytes], *, timeout: float | None = None, **options: Unpack[Options]
    ) -> list[Prediction | Failure]: ...
    def detect(
        self,
        images: bytes | Sequence[bytes],
        *,
        timeout: float | None = None,
        **options: Unpack[Options],
    ) -> Prediction | list[Prediction | Failure]:
        """See `AsyncThermalClient.detect`."""
        if isinstance(images, bytes):
            return self._run(self._client.detect(images, timeout=timeout, **options))
        return self._run(self._client.detect(images, timeout=timeout, **options))

    def stream(
        self,
        source: Source,
        *,
        stall: float | None = None,
        on_retry: Callable[[ClientError, float], None] = log_retry,
        **options: Unpack[StreamOptions],
    ) -> Generator[Answer, None, None]:
        """See `AsyncThermalClient.stream`. Leaving the iterator early closes the source as well, at
        once with `contextlib.closing`. `on_retry` is called in the client's own thread: the client
        cannot be asked for anything there."""

        async def start() -> Streaming:  # in the loop
            return self._client.open_stream(source, stall=stall, on_retry=on_retry, **options)

        answers = self._run(start())
        with suppress(_Closed):  # the client's end is the stream's
            try:
                while (answer := self._run(_following(answers))) is not None:
                    yield answer
            finally:
                if threading.current_thread() is self._thread:  # left, and collected in there
                    self._loop.create_task(answers.aclose())
                else:
                    self._run(answers.aclose())

    def ping(self) -> float:
        """Seconds that a question and its answer take. Unavailable if nobody answers."""
        return self._run(self._client.ping())

    def ready(self) -> bool:
        """Whether the service is there and has its models."""
        return self._run(self._client.ready())

    def _serve(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    async def _end(self) -> None:
        await self._client.aclose()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it in the loop; whoever interrupts the wait interrupts the work."""
        try:
            with self._lock:
                self._check()
                running = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            raise
        try:
            return running.result()
        except CancelledError:  # by `close`
            raise _Closed from None
        finally:
            running.cancel()

    def _check(self) -> None:
        """Whether the loop can be given work, and its end be waited for."""
        if self._closed:
            raise _Closed
        if threading.current_thread() is self._thread:
            raise RuntimeError("not from the client's own thread, which would wait for itself")


class _Closed(RuntimeError):
    def __str__(self) -> str:
        return "the client is closed"


async def _following(answers: Streaming) -> Answer | None:
    return await anext(answers, None)


def _without_grpc_noise(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Event loops of one process share gRPC's wake-up socket, and whoever comes second to it gets
    this error, which means nothing (grpc/grpc#25364)."""
    if not isinstance(context.get("exception"), BlockingIOError):
        loop.default_exception_handler(context)
