"""Reading a request: images and options, multipart or raw, in memory, within limits."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from service.errors import DeadlineExceeded, EmptyInput, InputTooLarge, InvalidInput, InvalidOption
from service.options import PredictOptions, parse_options

IMAGE_FIELD: Final = "image"
DEADLINE_HEADER: Final = "X-Deadline-Ms"
_MAX_OPTION_BYTES: Final = 64 * 1024  # 256 boxes are about 20 KB


@dataclass(frozen=True)
class BodyLimits:
    """max_bytes: of the whole body, as it arrives. timeout: seconds for it to arrive."""

    max_bytes: int
    max_images: int
    timeout: float


@dataclass(frozen=True)
class Upload:
    images: tuple[bytes, ...]
    options: PredictOptions


async def read_upload(request: Request, limits: BodyLimits) -> Upload:
    """Images and options of `POST /landmarks`.

    Raises EmptyInput, InputTooLarge (while the body still arrives), InvalidInput for a multipart
    body that is damaged, InvalidOption, and DeadlineExceeded when the body does not arrive.
    """
    try:
        async with asyncio.timeout(limits.timeout):
            images, fields = await _read(request, limits)
    except TimeoutError:
        raise DeadlineExceeded("the body did not arrive in time") from None
    options = parse_options(_merge(request, fields))
    if not images or not any(images):
        raise EmptyInput("the request holds no image")
    if options.boxes is not None and len(images) > 1:
        raise InvalidOption("boxes: only with one image")
    return Upload(images, options)


async def _read(
    request: Request, limits: BodyLimits
) -> tuple[tuple[bytes, ...], list[tuple[str, str]]]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        return await _read_multipart(request, limits)
    # Any other type is the image itself: what it really is, its first bytes tell.
    return (b"".join([chunk async for chunk in _bounded(request, limits.max_bytes)]),), []


async def _bounded(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    """The body's chunks. InputTooLarge on the first byte too many, whatever Content-Length says."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise InputTooLarge(f"the body is over {max_bytes} bytes", max_bytes=max_bytes)
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > max_bytes:
            raise InputTooLarge(f"the body is over {max_bytes} bytes", max_bytes=max_bytes)
        yield chunk


class _Parser(MultiPartParser):
    """Keeps files in memory (the body is bounded): no image ever touches a disk."""

    ended = False

    def on_end(self) -> None:
        self.ended = True


async def _read_multipart(
    request: Request, limits: BodyLimits
) -> tuple[tuple[bytes, ...], list[tuple[str, str]]]:
    parser = _Parser(
        request.headers,
        _bounded(request, limits.max_bytes),
        max_files=limits.max_images,
        max_fields=len(PredictOptions.model_fields) + 1,
        max_part_size=_MAX_OPTION_BYTES,
    )
    parser.spool_max_size = limits.max_bytes + 1
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise InvalidInput(f"multipart: {error.message}") from None
    if not parser.ended:
        raise InvalidInput("multipart: the body ends before its last boundary")
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
