from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.client.frames import PixelFormat, PixelUnit, SourceError
from service.client.sources.folder import open_folder
from tests.unit.service.client.sources.fakes import arrays, scene
from tests.unit.service.imaging.files import encode, npy, radiometric_jpeg, tiff

RAW = scene(40, 30)
GREY = (RAW % 256).astype(np.uint8)


def fill(tmp_path: Path, files: dict[str, bytes]) -> str:
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    return str(tmp_path)


def test_pictures_are_sent_as_they_are_in_natural_order(tmp_path: Path) -> None:
    files = {f"f{n}.png": encode(".png", GREY + n) for n in (10, 9, 2, 1)}
    source = open_folder(fill(tmp_path, {**files, "notes.txt": b"?"}), fps=4.0)
    assert (source.form.pixel_format, source.form.width) == (PixelFormat.PNG, 40)
    assert not source.form.live
    frames = list(source.frames())
    assert [frame.data for frame in frames] == [files[f"f{n}.png"] for n in (1, 2, 9, 10)]
    assert [frame.captured for frame in frames] == [0.0, 0.25, 0.5, 0.75]


def test_jpegs_keep_their_temperatures(tmp_path: Path) -> None:
    data = radiometric_jpeg(RAW)
    source = open_folder(fill(tmp_path, {"a.jpg": data, "b.JPEG": data}))
    assert source.form.pixel_format is PixelFormat.JPEG
    assert [frame.data for frame in source.frames()] == [data, data]


@pytest.mark.parametrize(("suffix", "write"), [(".tiff", tiff), (".npy", npy)])
def test_numbers_are_sent_as_y16(tmp_path: Path, suffix: str, write: Any) -> None:
    folder = fill(tmp_path, {f"a{suffix}": write(RAW), f"b{suffix}": write(RAW + 1)})
    source = open_folder(folder, units="centikelvin")
    assert (source.form.pixel_format, source.form.unit) == (PixelFormat.Y16, PixelUnit.KELVIN)
    np.testing.assert_array_equal(arrays(source), [RAW, RAW + 1])


def test_floats_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "celsius").mkdir()
    (tmp_path / "grey").mkdir()
    celsius = open_folder(
        fill(tmp_path / "celsius", {"a.tif": tiff((RAW / 100 - 273.15).astype(np.float32))}),
        units="celsius",
    )
    np.testing.assert_allclose(arrays(celsius)[0], RAW, atol=1)
    grey = open_folder(fill(tmp_path / "grey", {"a.npy": npy(GREY)}))
    assert grey.form.pixel_format is PixelFormat.GRAY8
    np.testing.assert_array_equal(arrays(grey), [GREY])


def other(kind: str) -> NDArray[Any]:
    return RAW[:20] if kind == "size" else GREY


@pytest.mark.parametrize("kind", ["size", "type"])
def test_a_file_unlike_the_first_ends_the_frames_by_name(tmp_path: Path, kind: str) -> None:
    source = open_folder(fill(tmp_path, {"1.npy": npy(RAW), "2.npy": npy(other(kind))}))
    seen = []
    with pytest.raises(SourceError, match=r"2\.npy.*the first file 40 x 30 y16"):
        for frame in source.frames():
            seen.append(frame)
    assert len(seen) == 1


def test_a_file_cut_off_comes_after_the_whole_ones(tmp_path: Path) -> None:
    source = open_folder(fill(tmp_path, {"1.npy": npy(RAW), "2.npy": npy(RAW)[:-1]}))
    seen = []
    with pytest.raises(SourceError, match=r"2\.npy.*truncated"):
        for frame in source.frames():
            seen.append(frame)
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("files", "options", "words"),
    [
        ({}, {}, "holds no PNG"),
        ({"a.png": b"x", "b.npy": b"x"}, {}, "npy, png"),
        ({"a.png": encode(".png", GREY)}, {"units": "celsius"}, "TIFF and NPY"),
        ({"a.png": encode(".png", GREY)}, {"fps": 0.0}, "fps"),
        ({"a.png": b"no picture"}, {}, "a.png: not one of the allowed formats"),
        ({"a.png": encode(".bmp", GREY)}, {}, "bmp"),
        ({"a.npy": npy(RAW.astype(np.int16))}, {}, "int16"),
    ],
)
def test_folders_that_are_no_recording_are_refused(
    tmp_path: Path, files: dict[str, bytes], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(SourceError, match=words):
        open_folder(fill(tmp_path, files), **options)
