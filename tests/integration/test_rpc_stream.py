"""`StreamLandmarks`, over a real connection: configurations, frames, answers, errors."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from grpc import StatusCode

from service.bootstrap import Gateway
from service.errors import InferenceFailed
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from tests import gateways, rpc_clients
from tests.fakes import FakeBackend
from tests.rpc_clients import HEIGHT, WIDTH, Y16, Stream, config

PNG = gateways.good_image()
GRAY8 = (rpc_clients.VALUES // 10 - 2900).astype(np.uint8)
ALONE = pb.Tracking(mode=pb.Tracking.MODE_OFF)


def jpeg() -> bytes:
    ok, data = cv2.imencode(".jpg", GRAY8)
    assert ok
    return data.tobytes()


def unknown(number: int) -> Any:
    """A value that the enum does not have, past the type checker."""
    return number


def files(pixel_format: Any) -> pb.StreamConfig:
    return pb.StreamConfig(pixel_format=pixel_format)


@pytest.fixture
async def stub(gateway: Gateway) -> AsyncIterator[Any]:
    async with (
        rpc_clients.serving(gateway) as (_, address),
        rpc_clients.client(address) as made,
    ):
        yield made


async def test_answers_echo_their_frames(stub: Any) -> None:
    stream = await Stream(stub, config(tracking=ALONE)).open()
    for number in (7, 7, 2**64 - 1):
        frame = pb.Frame(id=number, capture_time_ns=-5, data=Y16)
        await stream.call.write(pb.StreamLandmarksRequest(frame=frame))
        answer = await stream.answer()
        assert (answer.frame_id, answer.capture_time_ns, answer.dropped) == (number, -5, 0)
        assert (answer.result.width, answer.result.height) == (WIDTH, HEIGHT)
        assert answer.result.unit == pb.FRAME_UNIT_CELSIUS
        assert {"decode", "detect", "crop", "landmarks"} <= set(answer.result.timings_ms)
        (face,) = answer.result.faces
        assert len(face.landmarks) == 68 and face.landmarks[0].sigma > 0
        assert (face.track_id, face.landmarks[0].vx, face.landmarks[0].vy) == (0, 0, 0)
        assert (answer.models.detector.name, answer.models.landmarks.name) == (
            "face_detector",
            "landmarks_t",
        )
    await stream.end()
    assert await stream.message() is None
    assert await stream.status() == (StatusCode.OK, None)


@pytest.mark.parametrize(
    ("opening", "data", "unit"),
    [
        (config(), Y16, pb.FRAME_UNIT_CELSIUS),
        (config(y16=None), Y16, pb.FRAME_UNIT_CELSIUS),  # told by the values
        (
            config(y16=pb.Y16Encoding(unit=pb.Y16Encoding.UNIT_COUNTS)),
            Y16,
            pb.FRAME_UNIT_COUNTS,
        ),
        (
            config(y16=None, pixel_format=pb.PIXEL_FORMAT_GRAY8),
            GRAY8.tobytes(),
            pb.FRAME_UNIT_GREY8,
        ),
        (files(pb.PIXEL_FORMAT_PNG), PNG, pb.FRAME_UNIT_CELSIUS),
        (files(pb.PIXEL_FORMAT_JPEG), jpeg(), pb.FRAME_UNIT_GREY8),
    ],
)
async def test_pixel_formats(stub: Any, opening: pb.StreamConfig, data: bytes, unit: int) -> None:
    stream = await Stream(stub, opening).open()
    await stream.send(1, data)
    result = (await stream.answer()).result
    assert (result.width, result.height, result.unit) == (WIDTH, HEIGHT, unit)
    assert len(result.faces) == 1


async def test_raw_frames_are_answered_as_files_are(stub: Any) -> None:
    """The same numbers by both ways; options too."""
    options = pb.PredictOptions(variant="s", rotate=90, include=[pb.INCLUDE_TEMPERATURES])
    stream = await Stream(stub, config(options=options, tracking=ALONE)).open()
    await stream.send(1, Y16)
    raw = (await stream.answer()).result
    request = pb.DetectRequest(images=[PNG], options=options)
    file = (await stub.Detect(request)).images[0].result
    assert raw.faces[0].box == file.faces[0].box
    assert raw.faces[0].landmarks == file.faces[0].landmarks
    assert dict(raw.faces[0].temperatures) == pytest.approx(dict(file.faces[0].temperatures))


@pytest.mark.parametrize(
    ("opening", "data", "code"),
    [
        (config(), b"", "empty_input"),
        (config(), Y16[:-1], "broken_image"),
        (config(), Y16 + Y16, "broken_image"),
        (files(pb.PIXEL_FORMAT_JPEG), jpeg()[:-10], "broken_image"),
        (files(pb.PIXEL_FORMAT_JPEG), PNG, "unsupported_format"),
        (files(pb.PIXEL_FORMAT_PNG), b"GIF89a", "unsupported_format"),
    ],
)
async def test_a_bad_frame_does_not_end_the_stream(
    stub: Any, opening: pb.StreamConfig, data: bytes, code: str
) -> None:
    good = {pb.PIXEL_FORMAT_JPEG: jpeg(), pb.PIXEL_FORMAT_PNG: PNG}
    stream = await Stream(stub, opening).open()
    await stream.send(1, data)
    answer = await stream.answer()
    assert (answer.frame_id, answer.error.code) == (1, code)
    assert answer.error.detail and not answer.HasField("models")
    await stream.send(2, good.get(opening.pixel_format, Y16))
    assert (await stream.answer()).HasField("result")


async def test_limits_of_a_frame(repository: Path, backend: FakeBackend) -> None:
    settings = gateways.settings(repository, max_pixels=WIDTH * HEIGHT, max_body_bytes=100_000)
    async with (
        gateways.running(settings, backend) as gateway,
        rpc_clients.serving(gateway) as (_, address),
        rpc_clients.client(address) as stub,
    ):
        stream = await Stream(stub, files(pb.PIXEL_FORMAT_PNG)).open()
        await stream.send(1, gateways.good_image(HEIGHT, WIDTH + 1))
        assert (await stream.answer()).error.code == "input_too_large"
        await stream.send(2, PNG)
        assert (await stream.answer()).HasField("result")
        await stream.send(3, bytes(400_000))  # a message that the transport itself does not take
        assert (await stream.status())[0] is StatusCode.RESOURCE_EXHAUSTED


async def test_trouble_of_the_engine_is_an_answer(stub: Any, backend: FakeBackend) -> None:
    stream = await Stream(stub, config()).open()
    backend.error = InferenceFailed("engine")
    await stream.send(1)
    assert (await stream.answer()).error.code == "inference_failed"
    backend.error = None
    await stream.send(2)
    assert (await stream.answer()).HasField("result")


async def test_a_frame_s_deadline(stub: Any, backend: FakeBackend) -> None:
    stream = await Stream(stub, config(frame_deadline_ms=50)).open()
    backend.delay = 5
    await stream.send(1)
    assert (await stream.answer()).error.code == "deadline_exceeded"
    backend.delay = 0


@pytest.mark.parametrize(
    ("opening", "code"),
    [
        (files(pb.PIXEL_FORMAT_UNSPECIFIED), "invalid_option"),
        (files(99), "invalid_option"),
        (config(width=0), "invalid_option"),
        (config(height=7), "invalid_option"),
        (config(width=2**32 - 1, height=2**32 - 1), "input_too_large"),
        (config(width=4001, height=4000), "input_too_large"),
        (config(drop_policy=9), "invalid_option"),
        (config(frame_deadline_ms=0), "invalid_option"),
        (config(frame_deadline_ms=60_001), "invalid_option"),
        (config(tracking=pb.Tracking(detect_every=0)), "invalid_option"),
        (config(tracking=pb.Tracking(mode=unknown(3))), "invalid_option"),
        (config(tracking=ALONE, smoothing=pb.SMOOTHING_LIGHT), "invalid_option"),
        (config(smoothing=unknown(9)), "invalid_option"),
        (config(pixel_format=pb.PIXEL_FORMAT_GRAY8), "invalid_option"),
        (config(y16=pb.Y16Encoding(scale=0.01)), "invalid_option"),
        (config(y16=pb.Y16Encoding(unit=pb.Y16Encoding.UNIT_KELVIN, scale=-1)), "invalid_option"),
        (config(y16=pb.Y16Encoding(byte_order=unknown(7))), "invalid_option"),
        (config(options=pb.PredictOptions(units=pb.UNITS_KELVIN)), "invalid_option"),
        (config(options=pb.PredictOptions(rotate=1)), "invalid_option"),
        (config(options=pb.PredictOptions(max_faces=257)), "invalid_option"),
        (config(options=pb.PredictOptions(variant="xxl")), "variant_unavailable"),
        (pb.StreamConfig(pixel_format=pb.PIXEL_FORMAT_PNG, width=8, height=8), "invalid_option"),
    ],
)
async def test_bad_configurations(stub: Any, opening: pb.StreamConfig, code: str) -> None:
    stream = await Stream(stub, opening).open()
    assert await stream.status() == (StatusCode.INVALID_ARGUMENT, code)


async def test_a_frame_before_the_configuration(stub: Any) -> None:
    stream = await Stream(stub, None).open()
    await stream.send(1)
    assert await stream.status() == (StatusCode.INVALID_ARGUMENT, "invalid_input")


async def test_nothing_at_all(stub: Any) -> None:
    stream = await Stream(stub, None).open()
    await stream.end()
    assert await stream.status() == (StatusCode.INVALID_ARGUMENT, "invalid_input")


@pytest.mark.parametrize(
    "message", [pb.StreamLandmarksRequest(config=config()), pb.StreamLandmarksRequest()]
)
async def test_a_second_configuration(stub: Any, message: pb.StreamLandmarksRequest) -> None:
    stream = await Stream(stub, config()).open()
    await stream.call.write(message)
    assert await stream.status() == (StatusCode.INVALID_ARGUMENT, "invalid_input")


async def test_bytes_that_are_no_message(gateway: Gateway) -> None:
    async with rpc_clients.serving(gateway) as (_, address):
        code = await rpc_clients.send_raw(address, b"\xff\xff\xff")
    assert code is StatusCode.INVALID_ARGUMENT
