"""The two doors take the same options: whoever adds one to REST is told about gRPC here."""

from typing import Any

import pytest

from service.card import PRECISIONS
from service.errors import InvalidOption
from service.imaging.options import POLARITIES, UNITS
from service.options import DETECTORS, INCLUDES, PredictOptions
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.rpc.requests import MAX_DETECT_EVERY, to_options, to_setup
from service.session import Following
from service.vision.smoothing import Smoothing

NOT_A_FIELD = {"deadline_ms"}  # the call's own, or the stream's `frame_deadline_ms`


def test_every_option_is_a_field() -> None:
    fields = {field.name for field in pb.PredictOptions.DESCRIPTOR.fields}
    assert fields == set(PredictOptions.model_fields) - NOT_A_FIELD


@pytest.mark.parametrize(
    ("field", "enum", "allowed"),
    [
        ("precision", pb.Precision, ("auto", *PRECISIONS)),
        ("detector", pb.DetectorSize, DETECTORS),
        ("units", pb.Units, UNITS),
        ("polarity", pb.Polarity, POLARITIES),
    ],
)
def test_every_value_has_its_number(field: str, enum: Any, allowed: tuple[str, ...]) -> None:
    values = []
    for number in enum.values()[1:]:
        values.append(getattr(to_options(pb.PredictOptions(**{field: number})), field))
    assert sorted(values) == sorted(allowed)


def test_includes() -> None:
    message = pb.PredictOptions(include=pb.Include.values()[1:])
    assert sorted(to_options(message).include) == sorted(INCLUDES)


def test_what_is_unset_is_the_default() -> None:
    assert to_options(pb.PredictOptions()) == PredictOptions()


def test_zeros_that_were_set_are_no_defaults() -> None:
    assert to_options(pb.PredictOptions(min_score=0)).min_score == 0
    for wrong in (pb.PredictOptions(max_faces=0), pb.PredictOptions(emissivity=0)):
        with pytest.raises(InvalidOption):
            to_options(wrong)


def test_boxes_and_deadline() -> None:
    box = pb.Box(x1=1.5, y1=2, x2=30, y2=40)
    options = to_options(pb.PredictOptions(boxes=[box]), 250)
    assert (options.boxes, options.deadline_ms) == (((1.5, 2, 30, 40),), 250)


@pytest.mark.parametrize("field", ["precision", "detector", "units", "polarity"])
def test_unknown_numbers(field: str) -> None:
    unknown: dict[str, Any] = {field: 77}
    with pytest.raises(InvalidOption, match=field):
        to_options(pb.PredictOptions(**unknown))


def test_setup() -> None:
    y16 = pb.Y16Encoding(
        unit=pb.Y16Encoding.UNIT_CELSIUS,
        scale=0.1,
        offset=-100,
        byte_order=pb.Y16Encoding.BYTE_ORDER_BIG_ENDIAN,
    )
    config = pb.StreamConfig(
        pixel_format=pb.PIXEL_FORMAT_Y16, width=640, height=512, y16=y16, frame_deadline_ms=80
    )
    setup = to_setup(config, 16_000_000)
    form = setup.form
    assert (form.pixels, form.width, form.height) == ("y16", 640, 512)
    assert (form.unit, form.scale, form.offset, form.big_endian) == ("celsius", 0.1, -100.0, True)
    assert setup.options.deadline_ms == 80
    assert not setup.keep_all
    config.drop_policy = pb.DROP_POLICY_NONE
    assert to_setup(config, 16_000_000).keep_all


@pytest.mark.parametrize("pixels", [pb.PIXEL_FORMAT_GRAY8, pb.PIXEL_FORMAT_Y16])
@pytest.mark.parametrize("name", ["units", "emissivity"])
def test_bare_pixels_take_no_options_of_files(pixels: Any, name: str) -> None:
    options = {"units": pb.PredictOptions(units=pb.UNITS_AUTO),
               "emissivity": pb.PredictOptions(emissivity=0.95)}[name]  # fmt: skip
    config = pb.StreamConfig(pixel_format=pixels, width=64, height=48, options=options)
    with pytest.raises(InvalidOption, match=f"{name}: only with JPEG and PNG"):
        to_setup(config, 16_000_000)
    file = pb.StreamConfig(pixel_format=pb.PIXEL_FORMAT_JPEG, options=options)
    assert getattr(to_setup(file, 16_000_000).options, name) == (
        pytest.approx(0.95) if name == "emissivity" else "auto"
    )


ON, OFF = pb.Tracking.MODE_ON, pb.Tracking.MODE_OFF
BOXES = pb.PredictOptions(boxes=[pb.Box(x2=50, y2=50)])


def following(**fields: Any) -> Following | None:
    config = pb.StreamConfig(pixel_format=pb.PIXEL_FORMAT_PNG, **fields)
    return to_setup(config, 16_000_000).following


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Following(10, Smoothing.LIGHT)),
        ({"tracking": pb.Tracking(mode=ON)}, Following(10, Smoothing.LIGHT)),
        ({"tracking": pb.Tracking(detect_every=1)}, Following(1, Smoothing.LIGHT)),
        (
            {"tracking": pb.Tracking(detect_every=MAX_DETECT_EVERY)},
            Following(MAX_DETECT_EVERY, Smoothing.LIGHT),
        ),
        ({"smoothing": pb.SMOOTHING_OFF}, Following(10, Smoothing.OFF)),
        ({"smoothing": pb.SMOOTHING_STRONG}, Following(10, Smoothing.STRONG)),
        ({"tracking": pb.Tracking(mode=OFF)}, None),
        ({"tracking": pb.Tracking(mode=OFF), "smoothing": pb.SMOOTHING_OFF}, None),
        ({"options": BOXES}, None),
        ({"options": BOXES, "tracking": pb.Tracking(mode=OFF)}, None),
    ],
)
def test_following(fields: dict[str, Any], expected: Following | None) -> None:
    assert following(**fields) == expected


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"tracking": pb.Tracking(detect_every=0)}, "detect_every: must be 1 to 1000"),
        ({"tracking": pb.Tracking(detect_every=1001)}, "detect_every: must be 1 to 1000"),
        ({"tracking": pb.Tracking(mode=ON), "options": BOXES}, "tracking: not with boxes"),
        ({"tracking": pb.Tracking(mode=OFF, detect_every=9)}, "detect_every: only with tracking"),
        ({"tracking": pb.Tracking(detect_every=9), "options": BOXES}, "only with tracking"),
        (
            {"tracking": pb.Tracking(mode=OFF), "smoothing": pb.SMOOTHING_LIGHT},
            "smoothing: only with tracking",
        ),
        ({"options": BOXES, "smoothing": pb.SMOOTHING_STRONG}, "smoothing: only with tracking"),
    ],
)
def test_contradictions_about_following(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidOption, match=complaint):
        following(**fields)


def test_every_strength_has_its_number() -> None:
    named = {pb.Smoothing.Name(number) for number in pb.Smoothing.values()[1:]}
    assert named == {f"SMOOTHING_{strength.name}" for strength in Smoothing}
