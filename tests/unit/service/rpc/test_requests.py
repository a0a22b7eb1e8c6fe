"""The two doors take the same options: whoever adds one to REST is told about gRPC here."""

from typing import Any

import pytest

from service.card import PRECISIONS
from service.errors import InvalidOption
from service.imaging.options import POLARITIES, UNITS
from service.options import DETECTORS, INCLUDES, PredictOptions
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.rpc.requests import to_options, to_setup

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
