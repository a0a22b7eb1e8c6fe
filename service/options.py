"""What a caller may ask for, whichever door it comes through: names, defaults and limits."""

import json
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from service.card import PRECISIONS
from service.entities import Box
from service.errors import InvalidOption
from service.imaging.normalisation import NORMALISATIONS, resolve_normalisation
from service.imaging.options import POLARITIES, ROTATIONS, UNITS

MAX_FACES: Final = 256
MAX_DEADLINE_MS: Final = 60_000
INCLUDES: Final = ("temperatures", "sigma", "crops")
DETECTORS: Final = ("auto", "320", "640")


def _one_of(*allowed: object) -> BeforeValidator:
    def check(value: object) -> object:
        if value not in allowed and str(value) not in map(str, allowed):
            raise ValueError(f"must be one of {list(allowed)}")
        return value

    return BeforeValidator(check)


def _split_include(value: object) -> object:
    if isinstance(value, str):
        value = tuple(name.strip() for name in value.split(",") if name.strip())
    return value


def _parse_boxes(value: object) -> object:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
        if not (isinstance(value, list) and all(map(_is_box, value))):
            raise ValueError("must be JSON: [[x1, y1, x2, y2], ...]")
    return value


def _is_box(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(type(number) in (int, float) for number in value)  # a bool is an int, too
    )


def _check_normalisation(value: str) -> str:
    resolve_normalisation(value)
    return value


Coordinate = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
BoxCorners = tuple[Coordinate, Coordinate, Coordinate, Coordinate]


class PredictOptions(BaseModel):
    """Options of one request. `None` stands for the service's own default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str | None = Field(
        default=None, max_length=64, description="Size of the landmark network."
    )
    precision: Annotated[str, _one_of("auto", *PRECISIONS)] | None = Field(
        default=None,
        description="`auto` takes the best of those that are ready on this host: FP16 or FP32 on a"
        " GPU, INT8 on a processor.",
        json_schema_extra={"enum": ["auto", *PRECISIONS]},
    )
    detector: Annotated[str, _one_of(*DETECTORS)] | None = Field(
        default=None,
        description="Side of the face detector's input in pixels. `auto` takes the larger one, if"
        " published, for images whose longer side is above 320, which the smaller one would shrink:"
        " it finds smaller faces there and takes four times as long.",
        json_schema_extra={"enum": list(DETECTORS)},
    )
    min_score: float = Field(
        default=0.3,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Faces with a lower score are left out.",
    )
    max_faces: int = Field(
        default=32, ge=1, le=MAX_FACES, description="The best ones by score are kept."
    )
    boxes: Annotated[tuple[BoxCorners, ...], BeforeValidator(_parse_boxes)] | None = Field(
        default=None,
        max_length=MAX_FACES,
        description="JSON `[[x1, y1, x2, y2], ...]` in pixels of the image sent, each from brow top"
        " to chin and jaw to jaw. Skips detection. One image only.",
    )
    units: Annotated[str, _one_of(*UNITS)] = Field(
        default="auto",
        description="What the stored numbers mean.",
        json_schema_extra={"enum": list(UNITS)},
    )
    emissivity: float | None = Field(
        default=None,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="Default: the file's own, or 0.98.",
    )
    polarity: Annotated[str, _one_of(*POLARITIES)] = Field(
        default="auto",
        description="Whether hot is bright or dark.",
        json_schema_extra={"enum": list(POLARITIES)},
    )
    rotate: Annotated[int, _one_of(*ROTATIONS)] = Field(
        default=0,
        description="Degrees clockwise that turn the faces upright. Answers stay in the grid sent.",
        json_schema_extra={"enum": list(ROTATIONS)},
    )
    normalisation: Annotated[str, BeforeValidator(_check_normalisation)] = Field(
        default="auto",
        description="Gain control before the networks; `auto` is what the network was trained on.",
        json_schema_extra={"enum": ["auto", *NORMALISATIONS]},
    )
    include: Annotated[
        tuple[Literal["temperatures", "sigma", "crops"], ...], BeforeValidator(_split_include)
    ] = Field(default=(), description=f"Comma-separated extras: {', '.join(INCLUDES)}.")
    deadline_ms: int | None = Field(
        default=None,
        ge=1,
        le=MAX_DEADLINE_MS,
        description="Time to answer in, once the body has arrived.",
    )

    def given_boxes(self) -> tuple[Box, ...] | None:
        """The caller's boxes with score 1, or None when faces are to be detected."""
        return None if self.boxes is None else tuple(Box(*corners) for corners in self.boxes)


def parse_options(raw: Mapping[str, object]) -> PredictOptions:
    """Options from their text forms. InvalidOption names every option that is wrong or unknown."""
    if unknown := sorted(set(raw) - set(PredictOptions.model_fields)):
        allowed = list(PredictOptions.model_fields)
        raise InvalidOption(f"unknown options {unknown}", unknown=unknown, allowed=allowed)
    try:
        options = PredictOptions.model_validate(dict(raw))
    except ValidationError as error:
        raise _invalid(error) from None
    _check_boxes(options)
    return options


def _check_boxes(options: PredictOptions) -> None:
    for index, (x1, y1, x2, y2) in enumerate(options.boxes or ()):
        if x2 - x1 < 1 or y2 - y1 < 1:
            raise InvalidOption(f"boxes: box {index} is less than one pixel wide or high")
    if options.boxes is not None and len(options.boxes) > options.max_faces:
        raise InvalidOption(f"boxes: {len(options.boxes)} are more than max_faces allows")


def _invalid(error: ValidationError) -> InvalidOption:
    """The first complaint as a sentence, all of them as data; never the value that was sent."""
    problems = [
        {"option": str(item["loc"][0]), "detail": item["msg"].removeprefix("Value error, ")}
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    first = problems[0]
    return InvalidOption(f"{first['option']}: {first['detail']}", options=problems)
