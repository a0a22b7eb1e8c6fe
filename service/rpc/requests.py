"""From messages to options and formats. What is wrong in them is an InvalidOption."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import DecodeError

from service.errors import InvalidOption
from service.imaging.raw import FrameFormat
from service.options import PredictOptions, parse_options
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.session import Following
from service.vision.smoothing import Smoothing

MAX_DETECT_EVERY: Final = 1000  # frames

_SCALARS: Final = ("variant", "min_score", "max_faces", "emissivity", "normalisation")
# Fields whose values are those of the option of the same name, behind the enum's prefix.
_ENUMS: Final[dict[str, tuple[Any, str]]] = {
    "precision": (pb.Precision, "PRECISION_"),
    "detector": (pb.DetectorSize, "DETECTOR_SIZE_"),
    "units": (pb.Units, "UNITS_"),
    "polarity": (pb.Polarity, "POLARITY_"),
}


@dataclass(frozen=True)
class StreamSetup:
    """What a stream's configuration says. following: None answers every frame by itself."""

    options: PredictOptions
    form: FrameFormat
    keep_all: bool
    following: Following | None


def read_request(data: bytes) -> pb.DetectRequest | None:
    """None for bytes that are no request."""
    try:
        return pb.DetectRequest.FromString(data)
    except DecodeError:
        return None


def to_options(message: pb.PredictOptions, deadline_ms: int | None = None) -> PredictOptions:
    """The options of a request; what is unset takes its default."""
    raw: dict[str, object] = {
        name: getattr(message, name) for name in _SCALARS if message.HasField(name)
    }
    for name, (enum, prefix) in _ENUMS.items():
        if number := getattr(message, name):
            raw[name] = enum_name(name, enum, prefix, number)
    if message.boxes:
        raw["boxes"] = [[box.x1, box.y1, box.x2, box.y2] for box in message.boxes]
    raw["rotate"] = message.rotate
    raw["include"] = tuple(_includes(message.include))
    if deadline_ms is not None:
        raw["deadline_ms"] = deadline_ms
    return parse_options(raw)


def to_setup(config: pb.StreamConfig, max_pixels: int) -> StreamSetup:
    """InvalidOption, or InputTooLarge if the frames would have more than `max_pixels`."""
    form = _form(config)
    form.check_size(max_pixels)
    if form.raw and config.options.units:
        raise InvalidOption("units: only with JPEG and PNG; Y16 has its own")
    if form.raw and config.options.HasField("emissivity"):
        raise InvalidOption("emissivity: only with JPEG and PNG; bare pixels hold no calibration")
    deadline = config.frame_deadline_ms if config.HasField("frame_deadline_ms") else None
    policy = enum_name("drop_policy", pb.DropPolicy, "DROP_POLICY_", config.drop_policy)
    options = to_options(config.options, deadline)
    return StreamSetup(options, form, policy == "none", _following(config))


def _form(config: pb.StreamConfig) -> FrameFormat:
    y16 = config.y16
    pixels = enum_name("pixel_format", pb.PixelFormat, "PIXEL_FORMAT_", config.pixel_format)
    unit = enum_name("y16.unit", pb.Y16Encoding.Unit, "UNIT_", y16.unit)
    order = enum_name("y16.byte_order", pb.Y16Encoding.ByteOrder, "BYTE_ORDER_", y16.byte_order)
    if config.HasField("y16") and pixels != "y16":
        raise InvalidOption("y16: only with the pixel format Y16")
    return FrameFormat(
        pixels,
        config.width,
        config.height,
        "auto" if unit == "unspecified" else unit,
        y16.scale if y16.HasField("scale") else 1.0,
        y16.offset if y16.HasField("offset") else 0.0,
        order == "big-endian",
    )


def _following(config: pb.StreamConfig) -> Following | None:
    """None without tracking; then nothing else may be said about it."""
    tracking, boxes = config.tracking, bool(config.options.boxes)
    mode = enum_name("tracking.mode", pb.Tracking.Mode, "MODE_", tracking.mode)
    smoothing = enum_name("smoothing", pb.Smoothing, "SMOOTHING_", config.smoothing)
    if mode == "on" and boxes:
        raise InvalidOption("tracking: not with boxes, which say where the faces are")
    if mode == "off" or boxes:
        if tracking.HasField("detect_every"):
            raise InvalidOption("tracking.detect_every: only with tracking")
        if smoothing not in ("unspecified", "off"):
            raise InvalidOption("smoothing: only with tracking")
        return None
    every = tracking.detect_every if tracking.HasField("detect_every") else Following.detect_every
    if not 1 <= every <= MAX_DETECT_EVERY:
        raise InvalidOption(f"tracking.detect_every: must be 1 to {MAX_DETECT_EVERY}")
    strength = Following.smoothing if smoothing == "unspecified" else Smoothing(smoothing)
    return Following(every, strength)


def enum_name(field: str, enum: Any, prefix: str, number: int) -> str:
    """`PRECISION_FP32` as `fp32`, `POLARITY_BLACK_HOT` as `black-hot`."""
    try:
        name: str = enum.Name(number)
    except ValueError:  # a newer client's, or nobody's
        raise InvalidOption(f"{field}: no such value as {number}") from None
    return name.removeprefix(prefix).lower().replace("_", "-")


def _includes(numbers: Iterable[int]) -> Iterable[str]:
    return (enum_name("include", pb.Include, "INCLUDE_", number) for number in numbers)
