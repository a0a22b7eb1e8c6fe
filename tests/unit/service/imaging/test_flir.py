"""Radiometric JPEGs of both byte orders, whole and damaged."""

import math
import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from service.entities import Unit
from service.errors import BrokenImage, InputTooLarge, InvalidOption, UnsupportedFormat
from service.imaging.decode import DecodeOptions, decode_image
from service.imaging.flir import fff_end, find_flir, read_fff
from tests.unit.service.imaging.files import (
    SENSOR,
    SENSOR_O,
    camera_record,
    encode,
    fff,
    radiometric_jpeg,
    ramp,
    raw_record,
    wrap_in_jpeg,
)


def counts_of(celsius: float) -> float:
    """Planck's law as the cameras write it."""
    s = SENSOR
    return s["r1"] / (s["r2"] * (math.exp(s["b"] / (celsius + 273.15)) - s["f"])) - SENSOR_O


SCENE = 20.0 + 15.0 * ramp(41, 31).astype(np.float64)
RAW: NDArray[np.uint16] = np.vectorize(counts_of)(SCENE).round().astype(np.uint16)
BLACK_BODY = {"emissivity": 1.0, "distance": 0.0}  # nothing in between, nothing reflected


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("directory_order", ["<", ">"])
@pytest.mark.parametrize("as_png", [True, False])
def test_temperatures_come_back(order: str, directory_order: str, as_png: bool) -> None:
    data = radiometric_jpeg(
        RAW, order, as_png=as_png, directory_order=directory_order, changes=BLACK_BODY
    )
    frame = decode_image(data)
    assert (frame.unit, frame.source) == (Unit.CELSIUS, "flir-rjpeg")
    assert frame.values.shape == RAW.shape  # the thermal grid, not the 64 x 48 picture around it
    assert frame.values.dtype == np.float32
    np.testing.assert_allclose(frame.values, SCENE, atol=0.02)


def test_many_segments_are_put_together_in_their_order() -> None:
    data = radiometric_jpeg(RAW, changes=BLACK_BODY, segment=300)
    assert data.count(b"FLIR\x00\x01") > 5
    np.testing.assert_allclose(decode_image(data).values, SCENE, atol=0.02)


def test_emissivity_reflections_air_and_window_are_taken_off() -> None:
    """Counts are mixed forward, step by step from object to sensor, then must come back."""
    changes = {
        "emissivity": 0.9, "distance": 4.0, "reflected": 310.0, "atmosphere": 283.0,
        "window": 300.0, "window_transmission": 0.8, "humidity": 0.6,
    }  # fmt: skip
    celsius = changes["atmosphere"] - 273.15
    vapour = changes["humidity"] * math.exp(
        1.5587 + 0.06939 * celsius - 2.7816e-4 * celsius**2 + 6.8455e-7 * celsius**3
    )
    root, wet = math.sqrt(changes["distance"] / 2), math.sqrt(vapour)
    air = SENSOR["x"] * math.exp(-root * (SENSOR["alpha1"] + SENSOR["beta1"] * wet)) + (
        1 - SENSOR["x"]
    ) * math.exp(-root * (SENSOR["alpha2"] + SENSOR["beta2"] * wet))
    assert 0.95 < air < 1.0
    signal = 0.9 * np.vectorize(counts_of)(SCENE) + 0.1 * counts_of(310.0 - 273.15)
    signal = air * signal + (1 - air) * counts_of(celsius)
    signal = 0.8 * signal + 0.2 * counts_of(300.0 - 273.15)
    signal = air * signal + (1 - air) * counts_of(celsius)
    frame = decode_image(radiometric_jpeg(signal.round().astype(np.uint16), changes=changes))
    np.testing.assert_allclose(frame.values, SCENE, atol=0.03)


def test_emissivity_of_the_caller_beats_the_files() -> None:
    data = radiometric_jpeg(RAW, changes={"emissivity": 0.95})
    own = decode_image(data).values
    skin = decode_image(data, DecodeOptions(emissivity=0.98)).values
    assert (skin[SCENE > 25] < own[SCENE > 25]).all()  # less is put down to reflections
    same = decode_image(data, DecodeOptions(emissivity=0.95)).values
    np.testing.assert_allclose(same, own, atol=1e-4)


@pytest.mark.parametrize("nonsense", [0.0, -1.0, 1.5, math.nan, math.inf])
def test_a_files_nonsense_emissivity_becomes_skins(nonsense: float) -> None:
    data = radiometric_jpeg(RAW, changes={"emissivity": nonsense})
    skin = decode_image(radiometric_jpeg(RAW, changes={"emissivity": 0.98})).values
    np.testing.assert_allclose(decode_image(data).values, skin, atol=1e-4)


@pytest.mark.parametrize("name", ["reflected", "atmosphere", "window", "distance", "humidity"])
@pytest.mark.parametrize("nonsense", [0.0, -5.0, 1e30, math.nan])
def test_other_nonsense_is_put_right(name: str, nonsense: float) -> None:
    values = decode_image(radiometric_jpeg(RAW, changes={name: nonsense})).values
    np.testing.assert_allclose(values, decode_image(radiometric_jpeg(RAW)).values, atol=0.5)


def test_humidity_in_per_cent_is_understood() -> None:
    values = decode_image(radiometric_jpeg(RAW, changes={"humidity": 50.0})).values
    np.testing.assert_array_equal(values, decode_image(radiometric_jpeg(RAW)).values)


@pytest.mark.parametrize("name", ["r1", "b", "f", "r2"])
@pytest.mark.parametrize("nonsense", [0.0, -1.0, math.nan, math.inf])
def test_an_impossible_sensor_is_broken(name: str, nonsense: float) -> None:
    with pytest.raises(BrokenImage, match="calibration"):
        decode_image(radiometric_jpeg(RAW, changes={name: nonsense}))


@pytest.mark.parametrize("name", ["r1", "b", "f", "r2"])
@pytest.mark.parametrize("huge", [1e5, 1e12, 3e38])
def test_a_huge_constant_gives_finite_values_or_is_broken(name: str, huge: float) -> None:
    try:
        values = decode_image(radiometric_jpeg(RAW, changes={name: huge})).values
    except BrokenImage:
        return
    assert np.isfinite(values).all()


def test_counts_below_any_body_are_cold_and_finite() -> None:
    raw = RAW.copy()
    raw[0, 0], raw[0, 1] = 0, 65535
    values = decode_image(radiometric_jpeg(raw, changes=BLACK_BODY)).values
    assert np.isfinite(values).all()
    assert -273.15 <= values[0, 0] < values[1, 1] < values[0, 1]


def test_raw_counts_on_request_need_no_calibration() -> None:
    data = wrap_in_jpeg(fff([(1, raw_record(RAW, "<", as_png=True))]))
    frame = decode_image(data, DecodeOptions(units="counts"))
    np.testing.assert_array_equal(frame.values, RAW)
    assert (frame.unit, frame.source) == (Unit.COUNTS, "flir-rjpeg/counts")
    with pytest.raises(BrokenImage, match="no calibration"):
        decode_image(data)
    with pytest.raises(InvalidOption):
        decode_image(radiometric_jpeg(RAW), DecodeOptions(units="kelvin"))


def test_the_pixel_limit_holds_for_the_thermal_grid() -> None:
    with pytest.raises(InputTooLarge):
        decode_image(radiometric_jpeg(RAW), DecodeOptions(max_pixels=RAW.size - 1))
    head = struct.pack("<HHH", 2, 60_000, 60_000).ljust(32, b"\x00")
    with pytest.raises(InputTooLarge):
        decode_image(wrap_in_jpeg(fff([(1, head + bytes(64)), (32, camera_record("<"))])))


def _damaged() -> dict[str, bytes]:
    raw, camera = raw_record(RAW, "<", as_png=True), camera_record("<")
    plain = raw_record(RAW, ">", as_png=False)
    whole = fff([(1, raw), (32, camera)])
    many = radiometric_jpeg(RAW, segment=300)
    second = many.index(b"FLIR\x00\x01\x01")
    third = many.index(b"FLIR\x00\x01\x02")
    other_size = bytearray(raw)
    struct.pack_into("<H", other_size, 2, 39)
    return {
        "no header": wrap_in_jpeg(b"XXX\x00" + whole[4:]),
        "short header": wrap_in_jpeg(whole[:40]),
        "directory outside": wrap_in_jpeg(whole[:24] + struct.pack(">I", 1 << 30) + whole[28:]),
        "no entries": wrap_in_jpeg(whole[:28] + bytes(4) + whole[32:]),
        "record outside": wrap_in_jpeg(whole[:-5000] if len(whole) > 6000 else whole[:-900]),
        "no raw record": wrap_in_jpeg(fff([(32, camera)])),
        "raw record too short": wrap_in_jpeg(fff([(1, raw[:30]), (32, camera)])),
        "raw png cut": wrap_in_jpeg(fff([(1, raw[:-20]), (32, camera)])),
        "raw array cut": wrap_in_jpeg(fff([(1, plain[:-2]), (32, camera)])),
        "raw byte order unknown": wrap_in_jpeg(fff([(1, b"\x07\x07" + raw[2:]), (32, camera)])),
        "raw size contradicts": wrap_in_jpeg(fff([(1, bytes(other_size)), (32, camera)])),
        "raw of eight bits": wrap_in_jpeg(
            fff([(1, raw[:32] + encode(".png", (RAW >> 8).astype(np.uint8))), (32, camera)])
        ),
        "camera record cut": wrap_in_jpeg(fff([(1, raw), (32, camera[:500])])),
        "segment lost": many[: second - 4] + many[third - 4 :],
        "segment twice": many[: third - 4] + many[second - 4 : third - 4] + many[third - 4 :],
        "picture cut": radiometric_jpeg(RAW)[:-2],
        "empty segment": wrap_in_jpeg(b" "),
    }


@pytest.mark.parametrize("damage", _damaged())
def test_damage_never_falls_back_to_the_picture(damage: str) -> None:
    with pytest.raises(BrokenImage):
        decode_image(_damaged()[damage])


def test_a_raw_frame_stored_as_jpeg_is_unsupported() -> None:
    head = raw_record(RAW, "<", as_png=False)[:32]
    record = head + encode(".jpg", (RAW >> 8).astype(np.uint8))
    with pytest.raises(UnsupportedFormat):
        decode_image(wrap_in_jpeg(fff([(1, record), (32, camera_record("<"))])))


def test_an_ordinary_jpeg_has_no_thermal_part() -> None:
    assert find_flir(encode(".jpg", (ramp() * 255).astype(np.uint8))) is None


def test_where_the_records_end_is_known_by_the_directory_alone() -> None:
    content = fff([(32, camera_record("<")), (1, raw_record(RAW, "<", as_png=False))])
    assert fff_end(content) == len(content)
    assert fff_end(content[:200]) == len(content)
    with pytest.raises(BrokenImage, match="FFF header"):
        fff_end(content[1:])


@pytest.mark.parametrize("order", ["<", ">"])
def test_when_it_was_recorded(order: str) -> None:
    camera = bytearray(camera_record(order))
    raw = raw_record(RAW, order, as_png=False)
    assert read_fff(fff([(32, bytes(camera)), (1, raw)]), RAW.size).recorded is None
    assert read_fff(fff([(32, bytes(camera[:900])), (1, raw)]), RAW.size).recorded is None
    assert read_fff(fff([(1, raw)]), RAW.size).recorded is None
    struct.pack_into(order + "II", camera, 900, 1_600_000_000, 0xABC0000 + 250)
    content = read_fff(fff([(32, bytes(camera)), (1, raw)]), RAW.size)
    assert content.recorded == 1_600_000_000.25


def test_a_caller_may_bring_a_decoder_for_raw_frames_stored_as_jpeg() -> None:
    jpeg = b"\xff\xd8\xff\xf7 lossless"
    content = fff([(1, raw_record(RAW, "<", as_png=False)[:32] + jpeg)])
    given = []

    def read(data: bytes) -> NDArray[np.uint16]:
        given.append(data)
        return RAW

    np.testing.assert_array_equal(read_fff(content, RAW.size, read).raw, RAW)
    assert given == [jpeg]
    with pytest.raises(BrokenImage, match="contradicts"):
        read_fff(content, RAW.size, lambda _: RAW[1:])
    with pytest.raises(UnsupportedFormat):
        read_fff(content, RAW.size)
