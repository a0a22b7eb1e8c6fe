"""Options and frames as messages."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypedDict

import numpy as np

from service.client.errors import InvalidRequest
from service.client.frames import CENTIKELVIN, KELVIN_64, CameraFrame, FrameForm, PixelFormat
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb

Corners = tuple[float, float, float, float]


class Options(TypedDict, total=False):
    """Those of `POST /landmarks`, by the same names, with the same defaults and limits."""

    variant: str
    precision: Literal["auto", "fp32", "fp16", "int8"]
    detector: Literal["auto", "320", "640"]
    min_score: float
    max_faces: int
    boxes: Sequence[Corners]
    units: str
    emissivity: float
    polarity: Literal["auto", "white-hot", "black-hot"]
    rotate: Literal[0, 90, 180, 270]
    normalisation: str
    include: Sequence[Literal["temperatures", "sigma", "crops"]]


class StreamOptions(Options, total=False):
    """tracking: whether faces are followed from frame to frame; default: unless `boxes` are given.

    detect_every: frames from one look of the detector to the next at most, 1 to 1,000; default 10.
    smoothing: of tracked faces; default `light`.
    deadline: seconds from a frame's arrival at the service to its answer, up to 60; default 2.
    drop: `newest`: a frame takes the place of one that waits; `none`: every frame is answered, and
        the source waits. Default: `newest` of live sources, `none` of recordings.
    units: also of Y16, in place of what the source says.
    emissivity: of JPEG and PNG frames alone.
    """

    tracking: bool
    detect_every: int
    smoothing: Literal["off", "light", "strong"]
    deadline: float
    drop: Literal["newest", "none"]


_SCALARS: Final = (
    "variant", "min_score", "max_faces", "emissivity", "rotate", "normalisation",
)  # fmt: skip
_ENUMS: Final[dict[str, tuple[Any, str]]] = {
    "precision": (pb.Precision, "PRECISION_"),
    "detector": (pb.DetectorSize, "DETECTOR_SIZE_"),
    "units": (pb.Units, "UNITS_"),
    "polarity": (pb.Polarity, "POLARITY_"),
}
# What a unit's name says of 16-bit numbers: unit and scale.
_Y16: Final[dict[str, tuple[str, float | None]]] = {
    "auto": ("unspecified", None),
    "counts": ("counts", None),
    "celsius": ("celsius", 1.0),
    "kelvin": ("kelvin", 1.0),
    "centikelvin": ("kelvin", CENTIKELVIN),
    "decikelvin": ("kelvin", 0.1),
    "kelvin64": ("kelvin", KELVIN_64),
    "kelvin25": ("kelvin", 0.04),
}


def options_message(options: Mapping[str, Any]) -> pb.PredictOptions:
    """InvalidRequest for a name that no option, or no value of one, has; limits are the service's
    to check."""
    known = Options.__annotations__
    if unknown := sorted(set(options) - set(known)):
        raise _invalid(f"unknown options {unknown}; there are {list(known)}")
    try:
        message = pb.PredictOptions(
            **{name: options[name] for name in _SCALARS if name in options},
            boxes=[
                pb.Box(x1=x1, y1=y1, x2=x2, y2=y2) for x1, y1, x2, y2 in options.get("boxes", ())
            ],
        )
    except (TypeError, ValueError) as error:
        raise _invalid(str(error)) from None
    for name in set(options) & set(_ENUMS):
        enum, prefix = _ENUMS[name]
        setattr(message, name, _number(name, enum, prefix, options[name]))
    for extra in options.get("include", ()):
        message.include.append(_number("include", pb.Include, "INCLUDE_", extra))
    return message


def config_message(form: FrameForm, options: Mapping[str, Any]) -> pb.StreamConfig:
    """A stream's first message. InvalidRequest as `options_message`."""
    given = dict(options)
    tracking, every = given.pop("tracking", None), given.pop("detect_every", None)
    smoothing, deadline = given.pop("smoothing", "unspecified"), given.pop("deadline", None)
    policy = given.pop("drop", "newest" if form.live else "none")
    raw = form.pixel_format in (PixelFormat.GRAY8, PixelFormat.Y16)
    units = given.pop("units", None) if raw else None
    if form.pixel_format is PixelFormat.GRAY8 and units not in (None, "auto"):
        raise _invalid(f"units {units!r}: frames of 8 bits have none")
    if tracking not in (None, True, False):
        raise _invalid(f"tracking {tracking!r} is not one of [True, False]")
    mode = {None: "unspecified", True: "on", False: "off"}[tracking]
    if deadline is not None and not deadline > 0:
        raise _invalid(f"deadline {deadline!r}: must be above 0")
    try:
        return pb.StreamConfig(
            pixel_format=_number("", pb.PixelFormat, "PIXEL_FORMAT_", form.pixel_format),
            width=form.width if raw else 0,
            height=form.height if raw else 0,
            y16=_y16(form, units) if form.pixel_format is PixelFormat.Y16 else None,
            options=options_message(given),
            drop_policy=_number("drop", pb.DropPolicy, "DROP_POLICY_", policy),
            frame_deadline_ms=None if deadline is None else max(1, round(1000 * deadline)),
            tracking=pb.Tracking(
                mode=_number("tracking", pb.Tracking.Mode, "MODE_", mode), detect_every=every
            ),
            smoothing=_number("smoothing", pb.Smoothing, "SMOOTHING_", smoothing),
        )
    except (TypeError, ValueError) as error:  # a number that the message cannot hold
        raise _invalid(str(error)) from None


def frame_message(number: int, frame: CameraFrame) -> pb.StreamLandmarksRequest:
    """One frame, with its number in the stream."""
    captured = round(frame.captured * 1e9)
    return pb.StreamLandmarksRequest(
        frame=pb.Frame(id=number, capture_time_ns=captured, data=frame_bytes(frame))
    )


def frame_bytes(frame: CameraFrame) -> bytes:
    """A file's bytes; pixels row by row, 16-bit ones little endian. TypeError for other pixels."""
    data = frame.data
    if not isinstance(data, np.ndarray):
        return data
    return data.astype(np.uint8 if data.dtype == np.uint8 else "<u2", casting="equiv").tobytes()


def _y16(form: FrameForm, units: str | None) -> pb.Y16Encoding:
    if units is not None and units not in _Y16:
        raise _invalid(f"units {units!r} is not one of {list(_Y16)}")
    unit, scale = _Y16[units or form.unit]
    offset: float | None = None
    if units is None and scale is not None:
        scale, offset = form.scale, form.offset
    number = _number("unit", pb.Y16Encoding.Unit, "UNIT_", unit)
    return pb.Y16Encoding(unit=number, scale=scale, offset=offset)


def _number(name: str, enum: Any, prefix: str, value: object) -> Any:
    """`black-hot` as POLARITY_BLACK_HOT."""
    try:
        return enum.Value(prefix + str(value).upper().replace("-", "_"))
    except ValueError:
        values = [key.removeprefix(prefix).lower().replace("_", "-") for key in enum.keys()[1:]]
        raise _invalid(f"{name} {value!r} is not one of {values}") from None


def _invalid(detail: str) -> InvalidRequest:
    return InvalidRequest(detail, "invalid_option")
