"""GenICam cameras (GigE Vision, USB3 Vision) by `harvesters` and the maker's GenTL file."""

import os
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from service.client.frames import CameraFrame, FrameForm, SourceError
from service.client.sources.arrays import form_of
from service.client.sources.newest import NewestFrame
from service.client.sources.optional import load

_PATIENCE: Final = 5.0  # seconds for a frame
_LINEAR: Final = "TemperatureLinear10mK"  # of FLIR's IRFormat: counts are kelvin x 100


def open_genicam(
    serial: str = "", *, cti: str = "", units: str = "auto", library: Any = None
) -> NewestFrame:
    """One camera, the first if no serial number is given, in Mono16.

    cti: the maker's GenTL file; else those in the folders of GENICAM_GENTL64_PATH. units: as in
    POST /landmarks; `auto` switches the camera to centikelvin if it can, else takes counts.
    """
    core = library or load("harvesters.core", "harvesters", "GenICam cameras")
    harvester = core.Harvester()
    try:
        camera, form = _start(harvester, serial, cti, units)
    except BaseException:
        harvester.reset()
        raise

    def grab() -> CameraFrame:
        pixels = _fetch(camera)
        if pixels.shape != (form.height, form.width):
            raise SourceError("the camera's frames have changed their size; open it again")
        return CameraFrame(pixels, time.time())

    return NewestFrame(form, grab, harvester.reset)


def _start(harvester: Any, serial: str, cti: str, units: str) -> tuple[Any, FrameForm]:
    """The camera, sending, and what its first frame is like."""
    files = _gentl_files(cti)
    try:
        for file in files:
            harvester.add_file(file)
        harvester.update()
        camera = _choose(harvester, serial)
        nodes = camera.remote_device.node_map
        _set(nodes, "PixelFormat", "Mono16", required=True)
        if units == "auto":
            units = "centikelvin" if _set(nodes, "IRFormat", _LINEAR) else "counts"
        camera.start()
        return camera, form_of(_fetch(camera), units, _rate(nodes), live=True)
    except SourceError:
        raise
    except Exception as error:  # the library's and the maker's own, of many kinds
        raise SourceError(f"the GenICam camera cannot be opened ({error})") from error


def _gentl_files(cti: str) -> list[str]:
    if cti:
        if not Path(cti).is_file():
            raise SourceError(f"{cti}: no such GenTL file")
        return [cti]
    folders = os.environ.get("GENICAM_GENTL64_PATH", "").split(os.pathsep)
    files = [str(file) for folder in folders if folder for file in Path(folder).glob("*.cti")]
    if not files:
        raise SourceError(
            "no GenTL file: install the camera maker's SDK and give its .cti file (cti=...), "
            "or set GENICAM_GENTL64_PATH"
        )
    return sorted(files)


def _choose(harvester: Any, serial: str) -> Any:
    known = [str(device.serial_number) for device in harvester.device_info_list]
    if not known:
        raise SourceError("no GenICam camera is found: check power, cable and subnet")
    if serial and serial not in known:
        raise SourceError(f"no GenICam camera {serial}; there are: {', '.join(known)}")
    return harvester.create(known.index(serial) if serial else 0)


def _set(nodes: Any, name: str, value: str, *, required: bool = False) -> bool:
    """Whether the node exists and took the value."""
    node = getattr(nodes, name, None)
    if node is not None and value in node.symbolics:
        node.value = value
        return True
    if required:
        raise SourceError(f"the camera has no {name} {value}: it gives no 16-bit frames")
    return False


def _rate(nodes: Any) -> float | None:
    node = getattr(nodes, "AcquisitionFrameRate", None)
    return None if node is None else float(node.value)


def _fetch(camera: Any) -> NDArray[np.uint16]:
    try:
        with camera.fetch(timeout=_PATIENCE) as buffer:
            part = buffer.payload.components[0]
            # The buffer is the driver's again afterwards: a copy.
            return np.array(part.data, np.uint16).reshape(part.height, part.width)
    except Exception as error:
        raise SourceError(f"the GenICam camera has stopped sending ({error})") from error
