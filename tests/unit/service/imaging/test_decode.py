"""Any bytes give a finite frame or a clean error, and whole files survive no damage unnoticed."""

import io
import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.entities import ThermalFrame
from service.errors import BrokenImage, InvalidInput
from service.imaging import decode
from service.imaging.decode import DecodeOptions, decode_checked, decode_image
from service.imaging.options import UNITS
from service.imaging.palettes import palette_tables
from tests.unit.service.imaging.files import encode, npy, radiometric_jpeg, ramp, tiff

GREY = (ramp(24, 16) * 255).astype(np.uint8)
KELVIN = (29_500 + 800 * ramp(24, 16)).astype(np.uint16)
JET = palette_tables()["jet"].astype(np.uint8)[GREY]
COUNTS = (16_500 + 1500 * ramp(24, 16)).astype(np.uint16)

WHOLE = {
    "png": encode(".png", KELVIN),
    "png-colour": encode(".png", JET),
    "jpeg": encode(".jpg", JET),
    "jpeg-progressive": encode(".jpg", GREY, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "bmp": encode(".bmp", GREY),
    "tiff": tiff(KELVIN, rowsperstrip=5),
    "tiff-deflate": tiff(KELVIN, tile=(16, 16), compression="zlib", predictor=True),
    "tiff-lzw": encode(".tiff", KELVIN, cv2.IMWRITE_TIFF_COMPRESSION, 5),
    "tiff-float": tiff((20 + 10 * ramp(24, 16)).astype(np.float32), byteorder=">"),
    "tiff-palette": tiff(GREY, photometric="palette", colormap=np.ones((3, 256), np.uint16)),
    "tiff-big": tiff(JET, bigtiff=True),
    "npy": npy(20 + 15 * ramp(24, 16).astype(np.float64)),
    "flir-little": radiometric_jpeg(COUNTS, "<", segment=400),
    "flir-big": radiometric_jpeg(COUNTS, ">", as_png=False),
}
MAGICS = sorted({data[:10] for data in WHOLE.values()})
LIMITS = DecodeOptions(max_pixels=100_000)


def bounded(examples: int) -> settings:
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )


def decodes_cleanly(data: bytes, options: DecodeOptions = LIMITS) -> None:
    """Through the inner entry: the outer one's safety net must not be what makes this pass."""
    try:
        frame = decode_checked(data, options)
    except InvalidInput:
        return
    check(frame, options)


def check(frame: ThermalFrame, options: DecodeOptions) -> None:
    assert frame.values.dtype == np.float32
    assert frame.values.ndim == 2
    assert 64 <= frame.values.size <= options.max_pixels
    assert min(frame.values.shape) >= 8
    assert np.isfinite(frame.values).all()


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("units", UNITS)
def test_whole_files_with_every_unit(name: str, units: str) -> None:
    decodes_cleanly(WHOLE[name], DecodeOptions(units=units))


@pytest.mark.parametrize("name", WHOLE)
def test_whole_files_decode(name: str) -> None:
    frame = decode_image(WHOLE[name])
    check(frame, DecodeOptions())
    assert (frame.width, frame.height) == (24, 16)


@bounded(100)
@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    decodes_cleanly(data)


@bounded(150)
@given(st.sampled_from(MAGICS), st.binary(max_size=300))
def test_any_bytes_after_a_known_beginning(magic: bytes, data: bytes) -> None:
    decodes_cleanly(magic + data)


@bounded(250)
@given(
    st.sampled_from(sorted(WHOLE)),
    st.lists(st.tuples(st.integers(0, 2**32), st.integers(1, 255)), min_size=1, max_size=6),
    st.integers(0, 3),
)
def test_flipped_bytes(name: str, flips: list[tuple[int, int]], early: int) -> None:
    """Three times in four within the first kilobyte, where headers and directories are."""
    data = bytearray(WHOLE[name])
    span = min(len(data), 1024) if early else len(data)
    for place, change in flips:
        data[place % span] ^= change
    decodes_cleanly(bytes(data))


@bounded(200)
@given(st.sampled_from(sorted(WHOLE)), st.floats(0, 1), st.binary(max_size=4))
def test_cut_files(name: str, kept: float, tail: bytes) -> None:
    data = WHOLE[name]
    decodes_cleanly(data[: int(len(data) * kept)] + tail)


@bounded(150)
@given(
    st.sampled_from(sorted(WHOLE)), st.integers(0, 2**32), st.integers(0, 40), st.binary(max_size=9)
)
def test_pieces_taken_out_and_put_in(name: str, place: int, taken: int, put: bytes) -> None:
    data = WHOLE[name]
    place %= len(data)
    decodes_cleanly(data[:place] + put + data[place + taken :])


@bounded(100)
@given(
    st.sampled_from(["u1", "<u2", ">i2", "<f4", ">f8"]),
    st.integers(8, 12),
    st.integers(8, 12),
    st.data(),
)
def test_any_numbers_in_an_array(dtype: str, width: int, height: int, data: st.DataObject) -> None:
    size = width * height * np.dtype(dtype).itemsize
    content = data.draw(st.binary(min_size=size, max_size=size))
    array = np.frombuffer(content, dtype).reshape(height, width)
    for units in ("auto", "centikelvin", "celsius"):
        decodes_cleanly(npy(array), DecodeOptions(units=units))


@pytest.mark.parametrize("name", [n for n in WHOLE if n not in ("npy", "bmp")])
def test_no_cut_file_decodes_unnoticed(name: str) -> None:
    """Whatever decodes although its last bytes are missing must be the very same picture."""
    data = WHOLE[name]
    whole = decode_image(data).values
    for end in range(len(data) - 1, len(data) // 2, -max(1, len(data) // 60)):
        try:
            values = decode_image(data[:end]).values
        except InvalidInput:
            continue
        np.testing.assert_array_equal(values, whole)


def test_a_decoders_own_failure_is_a_broken_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(data: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr(decode, "read_header", fail)
    with pytest.raises(BrokenImage):
        decode_image(WHOLE["png"])


def test_little_memory_for_inflated_nothing() -> None:
    """A deflated strip of zeros that would inflate to a hundred times the picture."""
    file = bytearray(tiff(np.zeros((4000, 1000), np.uint8), compression="zlib", rowsperstrip=4000))
    for tag, value in ((257, 40), (278, 40)):
        entry = file.index(tag.to_bytes(2, "little"), 8)
        file[entry + 8 : entry + 12] = value.to_bytes(4, "little")
    tracemalloc.start()
    try:
        frame = decode_image(bytes(file))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert frame.values.shape == (40, 1000)
    assert peak < 2_000_000


def test_the_same_bytes_give_the_same_frame() -> None:
    buffer = io.BytesIO(WHOLE["png-colour"])
    first, second = decode_image(buffer.getvalue()), decode_image(buffer.getvalue())
    np.testing.assert_array_equal(first.values, second.values)
