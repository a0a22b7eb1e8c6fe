"""Reading a request: images and options, multipart or raw, in memory, within limits."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from service.errors import (
    DeadlineExceeded,
    EmptyInput,
    InputTooLarge,
    InvalidInput,
    InvalidOption,
)
from service.memory import Claim, Memory
from service.options import PredictOptions, parse_options

IMAGE_FIELD: Final = "image"
DEADLINE_HEADER: Final = "X-Deadline-Ms"
_MAX_OPTION_BYTES: Final = 64 * 1024  # 256 boxes are about 20 KB


@dataclass(frozen=True)
class BodyLimits:
    """max_bytes: of one whole body, as it arrives. timeout: seconds for a body to arrive."""

    max_bytes: int
    max_images: int
    timeout: float


@dataclass(frozen=True)
class Upload:
    images: tuple[bytes, ...]
    options: PredictOptions


class Intake:
    """Reads requests. Bodies are in memory, and all of them together within `memory`."""

    def __init__(self, limits: BodyLimits, memory: Memory) -> None:
        self._limits = limits
        self._memory = memory

    @asynccontextmanager
    async def receive(self, request: Request) -> AsyncIterator[Upload]:
        """Images and options of `POST /landmarks`; their memory counts until the context ends.

        Raises EmptyInput, InputTooLarge (while the body still arrives), InvalidInput for a
        multipart body that is damaged, InvalidOption, DeadlineExceeded when the body does not
        arrive, and Overloaded when other bodies fill the memory.
        """
        with self._memory.claim() as claim:
            yield await self._read(request, claim)

    async def _read(self, request: Request, claim: Claim) -> Upload:
        chunks = self._bounded(request, claim)
        try:
            async with asyncio.timeout(self._limits.timeout):
                images, fields = await self._split(request, chunks)
        except TimeoutError:
            raise DeadlineExceeded("the body did not arrive in time") from None
        options = parse_options(_merge(request, fields))
        if not any(images):
            raise EmptyInput("the request holds no image")
        if options.boxes is not None and len(images) > 1:
            raise InvalidOption("boxes: only with one image")
        return Upload(images, options)

    async def _split(
        self, request: Request, chunks: AsyncGenerator[bytes, None]
    ) -> tuple[tuple[bytes, ...], list[tuple[str, str]]]:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type == "multipart/form-data":
            return await _read_multipart(request, chunks, self._limits)
        # Any other type is the image itself: what it really is, its first bytes tell.
        return (b"".join([chunk async for chunk in chunks]),), []

    async def _bounded(self, request: Request, claim: Claim) -> AsyncGenerator[bytes, None]:
        """The body's chunks. Refuses the first byte too many, whatever Content-Length says."""
        declared, limit = request.headers.get("content-length", ""), self._limits.max_bytes
        if declared.isdecimal() and (len(declared) > 15 or int(declared) > limit):
            raise InputTooLarge(f"the body is over {limit} bytes", max_bytes=limit)
        async for chunk in request.stream():
            if claim.bytes + len(chunk) > limit:
                raise InputTooLarge(f"the body is over {limit} bytes", max_bytes=limit)
            claim.add(len(chunk))
            yield chunk


class _Parser(MultiPartParser):
    """Keeps files in memory (the body is bounded): no image ever touches a disk."""

    def __init__(
        self, headers: Headers, stream: AsyncGenerator[bytes, None], limits: BodyLimits
    ) -> None:
        super().__init__(
            headers,
            self._to_the_end(stream),
            max_files=limits.max_images,
            max_fields=len(PredictOptions.model_fields) + 1,
            max_part_size=_MAX_OPTION_BYTES,
        )
        self.spool_max_size = limits.max_bytes + 1
        self._ended = False

    def on_end(self) -> None:
        self._ended = True

    async def _to_the_end(self, stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        async for chunk in stream:
            yield chunk
        if not self._ended:  # the base class would take what there is
            raise MultiPartException("the body ends before its last boundary")


async def _read_multipart(
    request: Request, chunks: AsyncGenerator[bytes, None], limits: BodyLimits
) -> tuple[tuple[bytes, ...], list[tuple[str, str]]]:
    parser = _Parser(request.headers, chunks, limits)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise InvalidInput(f"multipart: {error.message}") from None
    try:
        return await _sort(form.multi_items())
    finally:
        await form.close()


async def _sort(
    items: Iterable[tuple[str, UploadFile | str]],
) -> tuple[tuple[bytes, ...], list[tuple[str, str]]]:
    images, fields = [], []
    for name, value in items:
        if isinstance(value, str):
            fields.append((name, value))
        elif name == IMAGE_FIELD:
            images.append(await value.read())
        else:
            raise InvalidOption(f"files go into the field {IMAGE_FIELD!r}, not {name!r}")
    return tuple(images), fields


def _merge(request: Request, fields: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Options by query, form and header. Each may be given once; the header gives way."""
    merged: dict[str, object] = {}
    for name, value in (*request.query_params.multi_items(), *fields):
        if name == IMAGE_FIELD:
            raise InvalidOption(f"{IMAGE_FIELD!r} must be sent as a file")
        if name in merged:
            raise InvalidOption(f"{name}: given more than once")
        merged[name] = value
    if DEADLINE_HEADER in request.headers:
        merged.setdefault("deadline_ms", request.headers[DEADLINE_HEADER])
    return merged
