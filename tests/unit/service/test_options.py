import pytest

from service.entities import Box
from service.errors import InvalidOption
from service.options import parse_options


def test_defaults() -> None:
    options = parse_options({})
    assert (options.variant, options.precision, options.deadline_ms) == (None, None, None)
    assert (options.min_score, options.max_faces, options.rotate) == (0.3, 32, 0)
    assert options.given_boxes() is None


def test_text_forms() -> None:
    options = parse_options(
        {
            "boxes": "[[1, 2, 30.5, 40]]",
            "include": "sigma, crops",
            "rotate": "270",
            "min_score": "0.5",
            "units": "celsius",
        }
    )
    assert options.given_boxes() == (Box(1, 2, 30.5, 40),)
    assert options.include == ("sigma", "crops")
    assert options.rotate == 270


def test_no_boxes_is_not_detection() -> None:
    assert parse_options({"boxes": "[]"}).given_boxes() == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("precision", "fp64"),
        ("detector", "480"),
        ("min_score", "1.1"),
        ("min_score", "-0.1"),
        ("min_score", "nan"),
        ("min_score", "high"),
        ("max_faces", "0"),
        ("max_faces", "257"),
        ("max_faces", "1.5"),
        ("boxes", "no"),
        ("boxes", "{}"),
        ("boxes", "[[1, 2, 3]]"),
        ("boxes", "[[1, 2, 3, null]]"),
        ("boxes", "[[1, 2, NaN, 4]]"),
        ("boxes", "[[1, 2, 1e999, 4]]"),
        ("boxes", "[[10, 10, 5, 20]]"),
        ("boxes", "[[10, 10, 10.5, 20]]"),
        ("boxes", "[" * 5000),
        ("boxes", str([[0, 0, 9, 9]] * 33)),
        ("units", "fahrenheit"),
        ("emissivity", "0"),
        ("emissivity", "1.01"),
        ("polarity", "cold"),
        ("rotate", "45"),
        ("rotate", "-90"),
        ("normalisation", "magic"),
        ("include", "faces"),
        ("deadline_ms", "0"),
        ("deadline_ms", "60001"),
        ("deadline_ms", "soon"),
        ("variant", "t" * 65),
        ("colour", "red"),
    ],
)
def test_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidOption, match=name):
        parse_options({name: value})


@pytest.mark.parametrize(
    "value",
    ["[1, 2, 3, 4]", "null", '"box"', "[[1, 2, 3]]", '[["1", 2, 30, 40]]', "[[true, 2, 30, 40]]"],
)
def test_boxes_say_what_they_must_be(value: str) -> None:
    with pytest.raises(InvalidOption, match=r"^boxes: must be JSON: \[\[x1, y1, x2, y2\], ...\]$"):
        parse_options({"boxes": value})


def test_every_complaint_is_data() -> None:
    with pytest.raises(InvalidOption) as caught:
        parse_options({"rotate": "45", "min_score": "2"})
    names = {item["option"] for item in caught.value.extra["options"]}
    assert names == {"rotate", "min_score"}


def test_values_are_not_echoed() -> None:
    with pytest.raises(InvalidOption) as caught:
        parse_options({"min_score": "<script>"})
    assert "<script>" not in str(caught.value) + str(caught.value.extra)
