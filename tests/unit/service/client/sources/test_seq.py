import struct
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from service.client.frames import PixelFormat, PixelUnit, SourceError
from service.client.sources.seq import open_seq
from service.imaging.decode import decode_image
from service.imaging.options import DecodeOptions
from tests.unit.service.client.sources.fakes import array, arrays, scene
from tests.unit.service.imaging.files import camera_record, fff, radiometric_jpeg, raw_record

RAWS = [scene(40, 30, low=14000 + 100 * k, span=2000) for k in range(3)]


def block(raw: NDArray[np.uint16], order: str = "<", *, as_png: bool = False) -> bytes:
    return fff([(32, camera_record(order)), (1, raw_record(raw, order, as_png=as_png))])


def jpeg_ls_block(raw: NDArray[np.uint16], data: bytes) -> bytes:
    return fff([(32, camera_record("<")), (1, raw_record(raw, "<", as_png=False)[:32] + data)])


def at_time(seconds: int, milliseconds: int, order: str = "<") -> bytes:
    """A frame with the camera's clock, of which only the lower half holds the milliseconds."""
    camera = bytearray(camera_record(order))
    struct.pack_into(order + "II", camera, 900, seconds, 0x1230000 + milliseconds)
    return fff([(32, bytes(camera)), (1, raw_record(RAWS[0], order, as_png=False))])


def seq(tmp_path: Path, *blocks: bytes) -> str:
    path = tmp_path / "walk.seq"
    path.write_bytes(b"".join(blocks))
    return str(path)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("as_png", [False, True])
def test_frames_are_the_temperatures_that_the_service_reads(
    tmp_path: Path, order: str, as_png: bool
) -> None:
    source = open_seq(seq(tmp_path, *(block(raw, order, as_png=as_png) for raw in RAWS)), fps=10.0)
    form = source.form
    assert (form.pixel_format, form.width, form.height) == (PixelFormat.Y16, 40, 30)
    assert (form.unit, form.scale, form.live) == (PixelUnit.KELVIN, 0.01, False)
    frames = arrays(source)
    assert len(frames) == 3
    for frame, raw in zip(frames, RAWS, strict=True):
        celsius = decode_image(radiometric_jpeg(raw)).values
        np.testing.assert_allclose(frame * 0.01 - 273.15, celsius, atol=0.006)
    assert [f.captured for f in source.frames()] == pytest.approx([0.0, 0.1, 0.2])


def test_emissivity_is_the_callers(tmp_path: Path) -> None:
    (frame,) = arrays(open_seq(seq(tmp_path, block(RAWS[0])), emissivity=0.6))
    celsius = decode_image(radiometric_jpeg(RAWS[0]), DecodeOptions(emissivity=0.6)).values
    np.testing.assert_allclose(frame * 0.01 - 273.15, celsius, atol=0.006)


@pytest.mark.parametrize("order", ["<", ">"])
def test_times_are_the_cameras_where_its_clock_runs(tmp_path: Path, order: str) -> None:
    clock = [(1000, 0), (1000, 500), (1000, 500), (1002, 250), (0, 0)]
    path = seq(tmp_path, *(at_time(*moment, order) for moment in clock))
    source = open_seq(path)
    assert source.form.fps == pytest.approx(2.0)
    told = [frame.captured for frame in source.frames()]
    assert told == pytest.approx([1000.0, 1000.5, 1001.0, 1002.25, 1002.75])
    by_rate = [frame.captured for frame in open_seq(path, fps=10.0).frames()]
    assert by_rate == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize("second", [(1000, 0), (999, 0), (2000, 0), (0, 0)])
def test_a_clock_that_does_not_run_is_not_believed(tmp_path: Path, second: tuple[int, int]) -> None:
    source = open_seq(seq(tmp_path, at_time(1000, 0), at_time(*second)))
    assert source.form.fps == 30.0
    assert [frame.captured for frame in source.frames()] == pytest.approx([0.0, 1 / 30])


def test_without_a_calibration_frames_are_counts(tmp_path: Path) -> None:
    blocks = [fff([(1, raw_record(raw, "<", as_png=False))]) for raw in RAWS]
    source = open_seq(seq(tmp_path, *blocks))
    assert (source.form.unit, source.form.scale) == (PixelUnit.COUNTS, 1.0)
    np.testing.assert_array_equal(arrays(source), RAWS)


def test_pixels_that_spell_the_signature_and_padding_split_no_frame(tmp_path: Path) -> None:
    raw = RAWS[0].copy()
    raw[5, 5:7] = np.frombuffer(b"FFF\x00", "<u2")
    source = open_seq(seq(tmp_path, b"\x00" * 7, block(raw), b"\x00" * 64, block(RAWS[1])))
    assert len(arrays(source)) == 2


@pytest.mark.parametrize("lost", [1, 700, 2400])
def test_a_recording_cut_off_gives_its_whole_frames_and_then_the_error(
    tmp_path: Path, lost: int
) -> None:
    whole = b"".join(block(raw) for raw in RAWS)
    seen = []
    with pytest.raises(SourceError, match="cut off after 2 frames"):
        for frame in open_seq(seq(tmp_path, whole[:-lost])).frames():
            seen.append(array(frame))
    assert len(seen) == 2


def test_a_damaged_block_is_not_passed_over(tmp_path: Path) -> None:
    damaged = b"FFF\x00" + b"\xff" * 200
    frames = open_seq(seq(tmp_path, block(RAWS[0]), damaged, block(RAWS[1]))).frames()
    next(frames)
    with pytest.raises(SourceError, match="after 1 frames"):
        next(frames)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (block(scene(30, 40)), "another size"),
        (fff([(1, raw_record(RAWS[1], "<", as_png=False))]), "no calibration"),
    ],
)
def test_a_frame_unlike_the_first_ends_the_recording(
    tmp_path: Path, second: bytes, words: str
) -> None:
    frames = open_seq(seq(tmp_path, block(RAWS[0]), second)).frames()
    next(frames)
    with pytest.raises(SourceError, match=words):
        next(frames)


def test_a_calibration_that_cannot_be_is_named(tmp_path: Path) -> None:
    bad = fff(
        [
            (32, camera_record("<", {"r1": -1.0})),
            (1, raw_record(RAWS[0], "<", as_png=False)),
        ]
    )
    with pytest.raises(SourceError, match="frame 0: .*calibration"):
        arrays(open_seq(seq(tmp_path, bad)))


def test_csq_without_the_library_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(SourceError, match="imagecodecs: pip install"):
        open_seq(seq(tmp_path, jpeg_ls_block(RAWS[0], b"\xff\xd8\xff\xf7 compressed")))


class _JpeglsError(Exception):
    pass


def test_csq_is_read_by_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(data: bytes) -> NDArray[np.uint16]:
        if not data.endswith(b"whole"):
            raise _JpeglsError("short")
        return RAWS[0]

    library = types.ModuleType("imagecodecs")
    vars(library).update(jpegls_decode=decode, JpeglsError=_JpeglsError)
    monkeypatch.setitem(sys.modules, "imagecodecs", library)
    whole = jpeg_ls_block(RAWS[0], b"\xff\xd8\xff\xf7 whole")
    frames = open_seq(seq(tmp_path, whole, jpeg_ls_block(RAWS[0], b"\xff\xd8\xff\xf7 ha"))).frames()
    other = tmp_path / "other"
    other.mkdir()
    expected = arrays(open_seq(seq(other, block(RAWS[0]))))[0]
    np.testing.assert_array_equal(array(next(frames)), expected)
    with pytest.raises(SourceError, match="JPEG-LS data is damaged"):
        next(frames)
    with pytest.raises(SourceError, match="size"):
        open_seq(seq(tmp_path, jpeg_ls_block(scene(30, 40), b"\xff\xd8\xff\xf7 whole")))


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "cannot be read"), (b"no recording" * 20, "no FFF block")]
)
def test_files_that_are_no_recording_are_refused(
    tmp_path: Path, content: bytes, words: str
) -> None:
    with pytest.raises(SourceError, match=words):
        open_seq(seq(tmp_path, content))
    with pytest.raises(SourceError, match="cannot be read"):
        open_seq(str(tmp_path / "none.seq"))


@pytest.mark.parametrize("options", [{"fps": 0.0}, {"emissivity": 0.0}, {"emissivity": 1.1}])
def test_options_out_of_range_are_refused(tmp_path: Path, options: dict[str, float]) -> None:
    with pytest.raises(SourceError, match=next(iter(options))):
        open_seq(seq(tmp_path, block(RAWS[0])), **options)
