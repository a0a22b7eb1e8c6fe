"""PNG, JPEG and BMP: bit depth kept, damage found."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from service.entities import Unit
from service.errors import BrokenImage, EmptyInput, InputTooLarge, UnsupportedFormat
from service.imaging.decode import DecodeOptions, decode_image
from tests.unit.service.imaging.files import encode, png_chunks, png_from, ramp

GREY = (ramp() * 255).astype(np.uint8)
DEEP = (ramp() * 65535).astype(np.uint16)


@pytest.mark.parametrize("extension", [".png", ".bmp"])
def test_grey_of_eight_bits_comes_back_exactly(extension: str) -> None:
    frame = decode_image(encode(extension, GREY))
    np.testing.assert_array_equal(frame.values, GREY)
    assert frame.unit is Unit.GREY8
    assert frame.source == f"{extension[1:]}8/grey"
    assert frame.values.dtype == np.float32
    assert not frame.black_hot


def test_sixteen_bits_are_never_cut() -> None:
    frame = decode_image(encode(".png", DEEP))
    np.testing.assert_array_equal(frame.values, DEEP)
    assert (frame.unit, frame.source) == (Unit.COUNTS, "png16/counts")


@pytest.mark.parametrize("channels", [3, 4])
def test_equal_channels_are_grey_with_and_without_alpha(channels: int) -> None:
    picture = np.repeat(GREY[:, :, None], channels, axis=2)
    if channels == 4:
        picture[:, :, 3] = 17  # alpha must not touch the values
    frame = decode_image(encode(".png", picture))
    np.testing.assert_array_equal(frame.values, GREY)
    assert frame.source == "png8/grey"


def test_equal_channels_of_sixteen_bits_keep_them() -> None:
    frame = decode_image(encode(".png", np.repeat(DEEP[:, :, None], 3, axis=2)))
    np.testing.assert_array_equal(frame.values, DEEP)


@pytest.mark.parametrize("colour", [False, True])
def test_grey_jpeg_is_grey_whatever_its_channels(colour: bool) -> None:
    picture = cv2.cvtColor(GREY, cv2.COLOR_GRAY2BGR) if colour else GREY
    frame = decode_image(encode(".jpg", picture, cv2.IMWRITE_JPEG_QUALITY, 95))
    assert (frame.unit, frame.source) == (Unit.GREY8, "jpeg8/grey")
    assert np.abs(frame.values - GREY).mean() < 2


def test_exif_orientation_leaves_the_stored_grid() -> None:
    jpeg = encode(".jpg", GREY)
    exif = b"Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01" + struct.pack(
        ">HHIHHI", 274, 3, 1, 6, 0, 0
    )
    turned = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(exif)) + exif + jpeg[2:]
    frame = decode_image(turned)
    np.testing.assert_array_equal(frame.values, decode_image(jpeg).values)


def test_a_pngs_other_chunks_do_not_touch_the_values() -> None:
    chunks = png_chunks(encode(".png", DEEP))
    extra = [(b"gAMA", struct.pack(">I", 10_000)), (b"tRNS", b"\x10\x00"), (b"sBIT", b"\x0e")]
    frame = decode_image(png_from([chunks[0], *extra, *chunks[1:]]))
    np.testing.assert_array_equal(frame.values, DEEP)


def test_a_palette_png_gets_its_colours() -> None:
    palette = b"".join(bytes([i, i, i]) for i in range(255, -1, -1))
    rows = b"".join(b"\x00" + row.tobytes() for row in GREY)
    ihdr = struct.pack(">IIBBBBB", GREY.shape[1], GREY.shape[0], 8, 3, 0, 0, 0)
    body = [(b"IHDR", ihdr), (b"PLTE", palette), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    np.testing.assert_array_equal(decode_image(png_from(body)).values, 255 - GREY)


def test_empty_and_oversized_inputs() -> None:
    with pytest.raises(EmptyInput):
        decode_image(b"")
    data = encode(".png", GREY)
    with pytest.raises(InputTooLarge):
        decode_image(data, DecodeOptions(max_bytes=len(data) - 1))
    assert decode_image(data, DecodeOptions(max_bytes=len(data))).width == 40


@pytest.mark.parametrize("extension", [".png", ".jpg", ".bmp"])
@pytest.mark.parametrize("missing", [1, 2, 5, 13, 100, 0.3, 0.7])
def test_truncated_files_are_broken(extension: str, missing: float) -> None:
    data = encode(extension, GREY)
    kept = len(data) - (int(missing) if missing >= 1 else int(len(data) * missing))
    with pytest.raises(BrokenImage):
        decode_image(data[:kept])


@pytest.mark.parametrize("extension", [".png", ".jpg", ".bmp"])
def test_bytes_after_the_end_do_not_matter(extension: str) -> None:
    data = encode(extension, GREY)
    np.testing.assert_array_equal(decode_image(data + b"more").values, decode_image(data).values)


def test_a_progressive_jpeg_is_read_and_one_without_end_is_broken() -> None:
    data = encode(".jpg", GREY, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert data.count(b"\xff\xda") > 3
    assert decode_image(data).values.shape == GREY.shape
    with pytest.raises(BrokenImage, match="end is missing"):
        decode_image(data[:-2])


def test_a_jpeg_with_endless_scans_is_refused_at_once() -> None:
    data = encode(".jpg", GREY, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    last = data.rindex(b"\xff\xda")
    with pytest.raises(BrokenImage, match="scans"):
        decode_image(data[:-2] + data[last:-2] * 1000 + b"\xff\xd9")


def test_a_flipped_bit_in_png_data_is_found() -> None:
    data = bytearray(encode(".png", DEEP))
    data[len(data) // 2] ^= 4
    with pytest.raises(BrokenImage, match="checksum"):
        decode_image(bytes(data))


def test_png_data_shorter_than_the_picture_is_broken() -> None:
    header = png_chunks(encode(".png", DEEP))[0]
    short = zlib.compress(bytes(100))
    with pytest.raises(BrokenImage):
        decode_image(png_from([header, (b"IDAT", short), (b"IEND", b"")]))


def test_run_length_bmp_is_unsupported() -> None:
    data = bytearray(encode(".bmp", GREY))
    struct.pack_into("<I", data, 30, 1)
    with pytest.raises(UnsupportedFormat, match="compressed BMP"):
        decode_image(bytes(data))


def test_a_bmp_from_the_top_down_is_the_same_picture() -> None:
    data = bytearray(encode(".bmp", GREY))
    (offset,) = struct.unpack_from("<I", data, 10)
    struct.pack_into("<i", data, 22, -GREY.shape[0])
    data[offset:] = GREY.tobytes()
    np.testing.assert_array_equal(decode_image(bytes(data)).values, GREY)


def test_polarity_marks_the_frame_and_leaves_the_values() -> None:
    data = encode(".png", GREY)
    frame = decode_image(data, DecodeOptions(polarity="black-hot"))
    assert frame.black_hot
    np.testing.assert_array_equal(frame.values, GREY)
    assert not decode_image(data, DecodeOptions(polarity="white-hot")).black_hot
