"""The Python client over a real connection: calls, options, errors."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trustme

from service.bootstrap import Gateway
from service.client import (
    Answer,
    AsyncThermalClient,
    Failure,
    InvalidRequest,
    PixelFormat,
    Retry,
    SourceError,
    Unauthorised,
    Unavailable,
)
from service.entities import Prediction, SensorEvent, Unit
from service.errors import InferenceFailed
from tests import gateways, rpc_clients
from tests.fakes import FakeBackend
from tests.memory_sources import FORM, VALUES, MemorySource, recording

PNG = gateways.good_image()
GREY = (VALUES % 200).astype(np.uint8)
TOKEN = "a" * 16
ONCE = Retry(attempts=1)


@pytest.fixture
async def address(gateway: Gateway) -> AsyncIterator[str]:
    async with rpc_clients.serving(gateway) as (_, where):
        yield where


@pytest.fixture
async def client(address: str) -> AsyncIterator[AsyncThermalClient]:
    async with AsyncThermalClient(address, retry=ONCE) as made:
        yield made


async def all_of(client: AsyncThermalClient, source: MemorySource, **options: Any) -> list[Answer]:
    return [answer async for answer in client.stream(source, **options)]


async def test_one_image(client: AsyncThermalClient) -> None:
    found = await client.detect(PNG, include=("temperatures", "crops"), variant="s")
    assert (found.width, found.height, found.unit) == (120, 160, Unit.CELSIUS)
    (face,) = found.faces
    assert face.landmarks.shape == (68, 4) and face.landmarks.dtype == np.float32
    assert face.temperatures is not None and face.temperatures
    assert face.crop is not None and face.crop.shape == (256, 256)
    assert (face.track_id, face.velocities) == (None, None)


async def test_several_images(client: AsyncThermalClient) -> None:
    good, bad = await client.detect([PNG, b"nothing"])
    assert isinstance(good, Prediction) and len(good.faces) == 1
    assert isinstance(bad, Failure) and bad.code == "unsupported_format"


@pytest.mark.parametrize(
    ("images", "options", "code"),
    [
        (b"nothing", {}, "unsupported_format"),
        (PNG, {"variant": "xxl"}, "variant_unavailable"),
        (PNG, {"rotate": 45}, "invalid_option"),
        (PNG, {"units": "parsecs"}, "invalid_option"),
        (PNG, {"max_faces": -1}, "invalid_option"),
        (PNG, {"max_face": 1}, "invalid_option"),
        (bytes(2**25 + 2**17), {}, "input_too_large"),
    ],
)
async def test_what_cannot_succeed_is_not_tried_again(
    address: str, images: bytes, options: dict[str, Any], code: str
) -> None:
    async with AsyncThermalClient(
        address, retry=Retry(attempts=None, first_s=60, longest_s=60)
    ) as client:
        with pytest.raises(InvalidRequest) as caught:
            await client.detect(images, **options)
    assert caught.value.code == code


async def test_ready_and_ping(client: AsyncThermalClient, backend: FakeBackend) -> None:
    async with asyncio.timeout(30):
        while not await client.ready():
            await asyncio.sleep(0.01)
    assert await client.ping() > 0


async def test_nobody_there() -> None:
    async with AsyncThermalClient("127.0.0.1:1", retry=Retry(3, 0.001, 0.001)) as client:
        assert not await client.ready()
        with pytest.raises(Unavailable):
            await client.ping()
        with pytest.raises(Unavailable) as caught:
            await client.detect(PNG)
        assert caught.value.code == "unavailable"
        with pytest.raises(Unavailable):
            await all_of(client, recording(1), on_retry=lambda *_: None)


async def test_a_recording_is_answered_to_the_end(client: AsyncThermalClient) -> None:
    source = recording(20)
    answers = await all_of(client, source, include=("temperatures",))
    assert [answer.frame_id for answer in answers] == list(range(20))
    assert [answer.captured for answer in answers] == [number / 10 for number in range(20)]
    assert not any(answer.dropped or answer.error for answer in answers)
    (face,) = answers[0].faces
    assert face.track_id == 1 and face.velocities is not None
    assert face.velocities.shape == (68, 2) and face.landmarks.shape == (68, 4)
    last = answers[-1]
    assert last.prediction is not None and last.prediction.unit is Unit.CELSIUS
    assert last.frame.captured == 1.9 and last.latency_s > 0 and "landmarks" in last.timings_ms
    assert source.ended.is_set()


async def test_events_of_the_sensor(client: AsyncThermalClient) -> None:
    """The same picture for two seconds."""
    first, *_, last = await all_of(client, recording(20, data=VALUES))
    assert first.events == frozenset()
    assert SensorEvent.FROZEN in last.events and last.faces


async def test_without_tracking_it_is_detect(client: AsyncThermalClient) -> None:
    (answer,) = await all_of(
        client, recording(1, data=VALUES), tracking=False, rotate=90, variant="s"
    )
    found = await client.detect(PNG, rotate=90, variant="s")
    assert answer.faces[0].box == found.faces[0].box
    assert np.array_equal(answer.faces[0].landmarks, found.faces[0].landmarks)


@pytest.mark.parametrize(
    ("form", "data", "unit"),
    [
        (
            replace(FORM, pixel_format=PixelFormat.GRAY8),
            np.full(VALUES.shape, 9, np.uint8),
            "grey8",
        ),
        (replace(FORM, pixel_format=PixelFormat.PNG), PNG, "celsius"),
        (FORM, np.asfortranarray(VALUES), "celsius"),
        (FORM, VALUES.astype(">u2"), "celsius"),
    ],
)
async def test_pixel_formats(client: AsyncThermalClient, form: Any, data: Any, unit: str) -> None:
    (answer,) = await all_of(client, recording(1, form, data))
    assert answer.prediction is not None and answer.prediction.unit == unit
    assert (answer.prediction.width, answer.prediction.height) == VALUES.shape[::-1]


@pytest.mark.parametrize(("units", "unit"), [("counts", "counts"), ("centikelvin", "celsius")])
async def test_units_replace_the_source_s(
    client: AsyncThermalClient, units: str, unit: str
) -> None:
    (answer,) = await all_of(client, recording(1), units=units)
    assert answer.prediction is not None and answer.prediction.unit == unit


async def test_a_bad_frame_is_an_answer(client: AsyncThermalClient, backend: FakeBackend) -> None:
    source = MemorySource(live=False)
    source.put(VALUES[:-1])
    source.put()
    source.end()
    bad, good = await all_of(client, source)
    assert bad.error is not None and bad.error.code == "broken_image"
    assert (bad.faces, bad.prediction, bad.timings_ms) == ((), None, {})
    assert good.error is None and len(good.faces) == 1
    backend.error = InferenceFailed("engine")
    (failed,) = await all_of(client, recording(1))
    assert failed.error is not None and failed.error.code == "inference_failed"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"variant": "xxl"}, "variant_unavailable"),
        ({"smoothing": "very"}, "invalid_option"),
        ({"deadline": 61.0}, "invalid_option"),
        ({"deadline": 1e9}, "invalid_option"),
        ({"nonsense": 1}, "invalid_option"),
    ],
)
async def test_wrong_options_end_the_stream(
    client: AsyncThermalClient, options: dict[str, Any], code: str
) -> None:
    source = recording(3)
    with pytest.raises(InvalidRequest) as caught:
        await all_of(client, source, **options)
    assert caught.value.code == code
    assert source.closed


async def test_a_source_that_breaks_off(client: AsyncThermalClient) -> None:
    """Its frames are answered, and then it is told."""
    source = MemorySource(live=False)
    source.put()
    source.end(SourceError("unplugged"))
    answers = []
    with pytest.raises(SourceError, match="unplugged"):
        async for answer in client.stream(source):
            answers.append(answer)
    assert [answer.frame_id for answer in answers] == [0]


async def test_a_frame_that_is_none(client: AsyncThermalClient) -> None:
    with pytest.raises(TypeError):
        await all_of(client, recording(1, data="no bytes"))


async def test_token(repository: Path, backend: FakeBackend, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(TOKEN)
    settings = gateways.settings(repository, api_tokens_file=tmp_path / "tokens")
    async with (
        gateways.running(settings, backend) as gateway,
        rpc_clients.serving(gateway) as (_, address),
        AsyncThermalClient(address, token=TOKEN) as known,
        AsyncThermalClient(address, token="b" * 16) as unknown,
    ):
        assert (await known.detect(PNG)).faces
        assert len(await all_of(known, recording(1))) == 1
        with pytest.raises(Unauthorised) as caught:
            await unknown.detect(PNG)
        assert caught.value.code == "unauthorised" and caught.value.request_id
        with pytest.raises(Unauthorised):
            await all_of(unknown, recording(1))


async def test_tls(repository: Path, backend: FakeBackend, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    files = {"tls_certificate": tmp_path / "certificate.pem", "tls_key": tmp_path / "key.pem"}
    async with (
        gateways.running(gateways.settings(repository, **files), backend) as gateway,
        rpc_clients.serving(gateway) as (_, address),
        AsyncThermalClient(address, ca=tmp_path / "ca.pem") as trusting,
        AsyncThermalClient(address, tls=True, retry=ONCE) as strict,
        AsyncThermalClient(address, retry=ONCE) as plain,
    ):
        assert (await trusting.detect(PNG)).faces
        assert len(await all_of(trusting, recording(2))) == 2
        for refused in (strict, plain):
            with pytest.raises(Unavailable):
                await refused.detect(PNG)
    with pytest.raises(OSError):
        AsyncThermalClient(address, ca=tmp_path / "nowhere.pem")
