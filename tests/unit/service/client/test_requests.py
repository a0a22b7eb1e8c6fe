from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.client.errors import InvalidRequest
from service.client.frames import CameraFrame, FrameForm, PixelFormat, PixelUnit
from service.client.requests import config_message, frame_bytes, frame_message, options_message
from service.options import PredictOptions
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.rpc.requests import to_options, to_setup
from tests.memory_sources import FORM

GIVEN: dict[str, Any] = {
    "variant": "s",
    "precision": "int8",
    "detector": "640",
    "min_score": 0.5,
    "max_faces": 3,
    "units": "centikelvin",
    "emissivity": 0.5,
    "polarity": "black-hot",
    "rotate": 270,
    "normalisation": "clahe-v1",
    "include": ("temperatures", "crops"),
}


def test_the_service_reads_what_was_said() -> None:
    boxes = [(1.0, 2.0, 30.0, 40.0)]
    read = to_options(options_message({**GIVEN, "boxes": boxes}))
    assert read == PredictOptions(**GIVEN, boxes=tuple(boxes))


def test_what_is_not_said_is_the_service_s_to_choose() -> None:
    assert options_message({}) == pb.PredictOptions()
    live = config_message(replace(FORM, pixel_format=PixelFormat.GRAY8, live=True), {})
    height, width = FORM.height, FORM.width
    assert live == pb.StreamConfig(
        pixel_format=pb.PIXEL_FORMAT_GRAY8,
        width=width,
        height=height,
        options=pb.PredictOptions(),
        drop_policy=pb.DROP_POLICY_NEWEST,
        tracking=pb.Tracking(),
    )


@pytest.mark.parametrize("name", sorted(set(GIVEN) - {"min_score", "max_faces", "emissivity"}))
def test_values_that_no_option_has(name: str) -> None:
    wrong: object = ("all",) if name == "include" else 1.5 if name == "rotate" else "none such"
    try:
        message = options_message({name: wrong})
    except InvalidRequest as error:
        assert error.code == "invalid_option"
    else:  # a name, which the service knows or not
        assert getattr(message, name) == wrong and name in ("variant", "normalisation")


def test_unknown_options() -> None:
    with pytest.raises(InvalidRequest, match="rotation"):
        options_message({"rotation": 90})


@pytest.mark.parametrize(
    ("form", "units", "expected"),
    [
        (FORM, None, pb.Y16Encoding(unit=pb.Y16Encoding.UNIT_KELVIN, scale=0.01, offset=0)),
        (FORM, "auto", pb.Y16Encoding()),
        (FORM, "counts", pb.Y16Encoding(unit=pb.Y16Encoding.UNIT_COUNTS)),
        (FORM, "decikelvin", pb.Y16Encoding(unit=pb.Y16Encoding.UNIT_KELVIN, scale=0.1)),
        (FORM, "kelvin64", pb.Y16Encoding(unit=pb.Y16Encoding.UNIT_KELVIN, scale=1 / 64)),
        (replace(FORM, unit=PixelUnit.AUTO, scale=1.0), None, pb.Y16Encoding()),
        (
            replace(FORM, unit=PixelUnit.CELSIUS, scale=0.1, offset=-40.0),
            None,
            pb.Y16Encoding(unit=pb.Y16Encoding.UNIT_CELSIUS, scale=0.1, offset=-40.0),
        ),
    ],
)
def test_what_16_bits_mean(form: FrameForm, units: str | None, expected: pb.Y16Encoding) -> None:
    config = config_message(form, {} if units is None else {"units": units})
    assert config.y16 == expected and not config.options.units
    to_setup(config, max_pixels=10**6)  # the service takes it


def test_files_say_their_size_themselves() -> None:
    form = replace(FORM, pixel_format=PixelFormat.PNG)
    config = config_message(form, {"units": "decikelvin"})
    assert (config.width, config.height, config.HasField("y16")) == (0, 0, False)
    assert config.options.units == pb.UNITS_DECIKELVIN
    to_setup(config, max_pixels=10**6)


def test_a_stream_s_own_options() -> None:
    config = config_message(
        replace(FORM, live=True),
        {"tracking": False, "detect_every": 5, "smoothing": "strong", "deadline": 0.25,
         "drop": "none", "rotate": 90},
    )  # fmt: skip
    assert config.tracking == pb.Tracking(mode=pb.Tracking.MODE_OFF, detect_every=5)
    assert config.smoothing == pb.SMOOTHING_STRONG
    assert (config.frame_deadline_ms, config.options.rotate) == (250, 90)
    assert config.drop_policy == pb.DROP_POLICY_NONE
    assert config_message(FORM, {"tracking": True}).tracking.mode == pb.Tracking.MODE_ON
    assert config_message(FORM, {}).drop_policy == pb.DROP_POLICY_NONE  # a recording


@pytest.mark.parametrize(
    "options",
    [
        {"units": "parsecs"},
        {"drop": "oldest"},
        {"detect_every": -1},
        {"deadline": 1e12},
        {"deadline": 0.0},
        {"deadline": -1.0},
        {"deadline": float("nan")},
        {"tracking": "on"},
    ],
)
def test_wrong_options_of_a_stream(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        config_message(FORM, options)


def test_8_bits_have_no_units() -> None:
    form = replace(FORM, pixel_format=PixelFormat.GRAY8)
    assert config_message(form, {"units": "auto"}) == config_message(form, {})
    with pytest.raises(InvalidRequest, match="units"):
        config_message(form, {"units": "centikelvin"})


def test_pixels_row_by_row_and_little_endian() -> None:
    pixels = np.array([[1, 2], [3, 256]], np.uint16)
    for same in (pixels, np.asfortranarray(pixels), pixels.astype(">u2")):
        assert frame_bytes(CameraFrame(same, 0.0)) == b"\1\0\2\0\3\0\0\1"
    assert frame_bytes(CameraFrame(pixels[:1].astype(np.uint8), 0.0)) == b"\1\2"
    assert frame_bytes(CameraFrame(b"a file", 0.0)) == b"a file"
    with pytest.raises(TypeError):
        frame_bytes(CameraFrame(pixels.astype(np.float32), 0.0))  # type: ignore[arg-type]


def test_a_frame_and_its_time() -> None:
    frame = frame_message(4, CameraFrame(b"x", 1.25)).frame
    assert (frame.id, frame.capture_time_ns, frame.data) == (4, 1_250_000_000, b"x")
