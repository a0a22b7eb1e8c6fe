"""The wire models of the REST door, and the ways from entities to them."""

import base64
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from service.backends.base import Device
from service.entities import Face, Reason
from service.entries import Model
from service.imaging.drawing import encode_png
from service.landmarks import Result


class Problem(BaseModel):
    """RFC 9457. `code` is stable: rely on it rather than on the words."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None = None


class FaceAnswer(BaseModel):
    box: list[float] = Field(description="x1, y1, x2, y2 in pixels of the image sent.")
    score: float = Field(
        description="How likely this is a face, 0 to 1; 1 where the box came with the request."
    )
    landmarks: list[list[float]] = Field(
        description="68 times x, y, score, in the order of `/schemas`; pixels of the image sent."
    )
    verdict: Literal["reliable", "uncertain"] | None = Field(
        description="Whether the landmarks can be relied on, by their expected errors; null if the"
        " network is not calibrated (its card has no `verdict`)."
    )
    reasons: list[Reason] | None = Field(
        description="Why the face is uncertain; empty if it is reliable, null without a verdict."
        " `cut`: part of it lies outside the image. `too_small`: too few pixels. `occluded`: some"
        " landmarks are fine, the others hidden. `not_thermal_like`: large enough and whole, but"
        " to the network this is no thermal face."
    )
    sigma: list[float] | None = Field(
        default=None,
        description="Expected error of each landmark in pixels; without a verdict the network's"
        " own spread, which is no calibrated error.",
    )
    temperatures: dict[str, float] | None = Field(
        default=None, description="Degrees Celsius by region, where the image holds temperatures."
    )
    crop: str | None = Field(
        default=None,
        description="What the network saw, a tilted face upright: PNG 256 x 256, base64.",
    )


class ImageAnswer(BaseModel):
    """One image: its faces, or its `problem`."""

    index: int
    width: int | None
    height: int | None
    unit: str | None
    normalisation: str | None
    faces: list[FaceAnswer]
    timings_ms: dict[str, float]
    problem: Problem | None


class ModelUsed(BaseModel):
    name: str
    variant: str
    precision: str
    version: int
    device: Device


class ModelsUsed(BaseModel):
    """Which models made the answer. No detector where the boxes came with the request."""

    detector: ModelUsed | None
    landmarks: ModelUsed | None


class LandmarksAnswer(BaseModel):
    images: list[ImageAnswer]
    models: ModelsUsed
    request_id: str | None


class ModelAnswer(BaseModel):
    name: str
    state: str
    reason: str | None
    card: dict[str, Any] | None


class ModelsAnswer(BaseModel):
    models: list[ModelAnswer]


class SchemaAnswer(BaseModel):
    name: str
    keypoints: int
    names: list[str]
    regions: dict[str, list[int]] = Field(description="First and last index of each region.")
    flip: list[int] = Field(description="The landmark that takes place i in a mirrored image.")


class SchemasAnswer(BaseModel):
    schemas: list[SchemaAnswer]


class StatusAnswer(BaseModel):
    status: str


class ReadyAnswer(StatusAnswer):
    backend: str = Field(description="Who runs the models: `triton`, or `onnxruntime` in here.")
    auto: list[ModelUsed] = Field(
        description="What precision `auto` takes now: for each size of the detector, then for each"
        " variant, as far as they serve."
    )


def image_answer(index: int, result: Result, include: tuple[str, ...] = ()) -> ImageAnswer:
    """A result on the wire. What `include` does not name stays unset: dump without unset fields."""
    prediction = result.prediction
    return ImageAnswer(
        index=index,
        width=prediction.width,
        height=prediction.height,
        unit=prediction.unit.value,
        normalisation=prediction.normalisation,
        faces=[_face_answer(face, include) for face in prediction.faces],
        timings_ms=dict(prediction.timings_ms),
        problem=None,
    )


def failed_answer(index: int, problem: Problem) -> ImageAnswer:
    """An image without an answer, in the same shape."""
    return ImageAnswer(
        index=index,
        width=None,
        height=None,
        unit=None,
        normalisation=None,
        faces=[],
        timings_ms={},
        problem=problem,
    )


def models_used(result: Result | None) -> ModelsUsed:
    """The models behind a result; none behind a failure."""
    detector = result.detector if result else None
    landmarks = result.landmarks if result else None
    return ModelsUsed(
        detector=model_used(detector) if detector else None,
        landmarks=model_used(landmarks) if landmarks else None,
    )


def model_used(model: Model) -> ModelUsed:
    """A model that serves, on the wire."""
    card = model.card
    return ModelUsed(
        name=card.name,
        variant=card.variant,
        precision=card.precision,
        version=card.version,
        device=model.device,
    )


def _face_answer(face: Face, include: tuple[str, ...]) -> FaceAnswer:
    # Float64 before rounding: a float32 would print its binary tail.
    points = face.landmarks.astype(np.float64)
    box = face.box
    extras: dict[str, Any] = {}
    if "sigma" in include:
        extras["sigma"] = np.round(points[:, 3], 3).tolist()
    if "temperatures" in include:
        extras["temperatures"] = _rounded(face.temperatures)
    if face.crop is not None:
        extras["crop"] = base64.b64encode(encode_png(face.crop)).decode()
    return FaceAnswer(
        box=[round(value, 3) for value in (box.x1, box.y1, box.x2, box.y2)],
        score=round(box.score, 4),
        landmarks=np.round(points[:, :3], 3).tolist(),
        verdict=_verdict(face),
        reasons=list(face.verdict.reasons) if face.verdict else None,
        **extras,
    )


def _verdict(face: Face) -> Literal["reliable", "uncertain"] | None:
    if face.verdict is None:
        return None
    return "reliable" if face.verdict.reliable else "uncertain"


def _rounded(temperatures: Mapping[str, float] | None) -> dict[str, float] | None:
    if temperatures is None:
        return None
    return {region: round(value, 2) for region, value in temperatures.items()}
