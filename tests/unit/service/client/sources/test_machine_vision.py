import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.client.frames import PixelUnit, SourceError
from service.client.sources.machine_vision import open_genicam
from tests.unit.service.client.sources.fakes import array, scene

RAW = scene(64, 48)


class Node:
    """An enumeration of the camera's node map."""

    def __init__(self, *symbolics: str) -> None:
        self.symbolics = symbolics
        self.value = symbolics[0]


class Buffer:
    """A driver's buffer: its memory is used again once it was given back."""

    def __init__(self, pixels: NDArray[np.uint16]) -> None:
        self._memory = pixels.ravel().copy()
        height, width = pixels.shape
        part = SimpleNamespace(data=self._memory, width=width, height=height)
        self.payload = SimpleNamespace(components=[part])

    def __enter__(self) -> "Buffer":
        return self

    def __exit__(self, *error: object) -> None:
        self._memory[:] = 0


class FakeHarvesters:
    """`harvesters.core` and the cameras that it finds."""

    def __init__(self, frames: list[NDArray[np.uint16]], **nodes: Any) -> None:
        self._frames = iter(frames)
        self.nodes = SimpleNamespace(**{"PixelFormat": Node("Mono8", "Mono16"), **nodes})
        self.remote_device = SimpleNamespace(node_map=self.nodes)
        self.serials = ["A1", "B2"]
        self.files: list[str] = []
        self.created: list[int] = []
        self.started = False
        self.closed = threading.Event()

    def Harvester(self) -> "FakeHarvesters":
        return self

    @property
    def device_info_list(self) -> list[Any]:
        return [SimpleNamespace(serial_number=serial) for serial in self.serials]

    def add_file(self, path: str) -> None:
        self.files.append(path)

    def update(self) -> None:
        if not self.files:
            raise RuntimeError("no GenTL producer")

    def create(self, index: int) -> "FakeHarvesters":
        self.created.append(index)
        return self

    def start(self) -> None:
        self.started = True

    def fetch(self, *, timeout: float) -> Buffer:
        assert self.started and timeout > 0.0
        frame = next(self._frames, None)
        if frame is None:
            raise TimeoutError("no buffer")
        return Buffer(frame)

    def reset(self) -> None:
        self.closed.set()


@pytest.fixture
def cti(tmp_path: Path) -> str:
    path = tmp_path / "producer.cti"
    path.touch()
    return str(path)


def test_a_camera_that_can_is_switched_to_centikelvin(cti: str) -> None:
    library = FakeHarvesters(
        [RAW] * 3,
        IRFormat=Node("Radiometric", "TemperatureLinear100mK", "TemperatureLinear10mK"),
        AcquisitionFrameRate=SimpleNamespace(value=30.0),
    )
    source = open_genicam("B2", cti=cti, library=library)
    assert (library.files, library.created) == ([cti], [1])
    assert library.nodes.PixelFormat.value == "Mono16"
    assert library.nodes.IRFormat.value == "TemperatureLinear10mK"
    form = source.form
    assert (form.width, form.height, form.live, form.fps) == (64, 48, True, 30.0)
    assert (form.unit, form.scale) == (PixelUnit.KELVIN, 0.01)
    np.testing.assert_array_equal(array(next(source.frames())), RAW)
    source.close()
    assert library.closed.wait(10.0)


@pytest.mark.parametrize("nodes", [{}, {"IRFormat": Node("Radiometric")}])
def test_a_camera_that_cannot_gives_counts(cti: str, nodes: dict[str, Node]) -> None:
    source = open_genicam(cti=cti, library=FakeHarvesters([RAW], **nodes))
    assert (source.form.unit, source.form.scale, source.form.fps) == (PixelUnit.COUNTS, 1.0, None)
    source.close()


def test_named_units_leave_the_camera_as_it_is(cti: str) -> None:
    node = Node("TemperatureLinear100mK", "TemperatureLinear10mK")
    library = FakeHarvesters([RAW], IRFormat=node)
    source = open_genicam(cti=cti, units="decikelvin", library=library)
    assert (source.form.scale, node.value) == (0.1, "TemperatureLinear100mK")
    source.close()


def test_a_camera_that_stops_ends_by_an_error(cti: str) -> None:
    library = FakeHarvesters([RAW, RAW])
    with pytest.raises(SourceError, match="stopped sending"):
        list(open_genicam(cti=cti, library=library).frames())
    assert library.closed.wait(10.0)


def test_a_camera_that_changes_its_size_ends_by_an_error(cti: str) -> None:
    library = FakeHarvesters([RAW, RAW[:40]])
    with pytest.raises(SourceError, match="size"):
        list(open_genicam(cti=cti, library=library).frames())


def test_gentl_files_are_found_by_the_environment(
    cti: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENICAM_GENTL64_PATH", f"/none:{Path(cti).parent}")
    library = FakeHarvesters([RAW])
    open_genicam(library=library).close()
    assert library.files == [cti]
    monkeypatch.delenv("GENICAM_GENTL64_PATH")
    library = FakeHarvesters([RAW])
    with pytest.raises(SourceError, match="GENICAM_GENTL64_PATH"):
        open_genicam(library=library)
    assert library.closed.is_set()


def test_cameras_that_are_not_there_are_named(cti: str) -> None:
    library = FakeHarvesters([RAW])
    with pytest.raises(SourceError, match="C3; there are: A1, B2"):
        open_genicam("C3", cti=cti, library=library)
    library.serials = []
    with pytest.raises(SourceError, match="check power"):
        open_genicam(cti=cti, library=library)
    with pytest.raises(SourceError, match="no such GenTL file"):
        open_genicam(cti="none.cti", library=library)


def test_trouble_of_the_library_is_told_and_the_camera_given_back(cti: str) -> None:
    library = FakeHarvesters([RAW], PixelFormat=Node("Mono8"))
    with pytest.raises(SourceError, match="Mono16"):
        open_genicam(cti=cti, library=library)
    assert library.closed.is_set()
    broken = FakeHarvesters([RAW], PixelFormat=SimpleNamespace())
    with pytest.raises(SourceError, match="cannot be opened"):
        open_genicam(cti=cti, library=broken)
    assert broken.closed.is_set()


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "harvesters.core", None)
    with pytest.raises(SourceError, match="harvesters: pip install"):
        open_genicam()
