"""The endpoints: parse, call, map."""

import asyncio
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from service import landmark_schema
from service.catalogue import Catalogue
from service.errors import (
    BackendUnavailable,
    BrokenImage,
    EmptyInput,
    InputTooLarge,
    InvalidOption,
    ServiceError,
    UnsupportedFormat,
)
from service.imaging.drawing import draw_faces
from service.landmarks import LandmarkService, Result
from service.readiness import Readiness
from service.rest import models
from service.rest.body import BodyLimits, Upload, read_upload
from service.rest.edge import ClientGone
from service.rest.openapi import LANDMARKS_DOCS
from service.rest.problems import problem
from service.telemetry import Telemetry, request_id
from service.workers import Workers

T = TypeVar("T")
Outcome = Result | ServiceError

# What one bad image among good ones may be; any other error is the service's, not the image's.
_IMAGE_ERRORS: Final = (EmptyInput, BrokenImage, UnsupportedFormat, InputTooLarge)
_PNG: Final = "image/png"


@dataclass(frozen=True)
class Deps:
    """What the routes work with; made by the composition root."""

    service: LandmarkService
    catalogue: Catalogue
    readiness: Readiness
    telemetry: Telemetry
    workers: Workers
    limits: BodyLimits


async def _deps(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


Given = Annotated[Deps, Depends(_deps)]
router = APIRouter()


@router.post("/landmarks", **LANDMARKS_DOCS)
async def landmarks(request: Request, deps: Given) -> Response:
    """Find the 68 landmarks of every face in one or several thermal images."""
    upload = await read_upload(request, deps.limits)
    wants_png = prefers_png(request.headers.get("accept", ""))
    if wants_png and len(upload.images) > 1:
        raise InvalidOption("Accept: a picture can be drawn of one image only")
    outcomes = await _until_gone(request, _predict_each(deps, upload, wants_png))
    _note(request, upload, outcomes)
    with deps.telemetry.stage("encode"):
        if wants_png:
            return Response(await deps.workers.run(_png, outcomes), media_type=_PNG)
        body = await deps.workers.run(_json, upload, outcomes)
        return Response(body, media_type="application/json")


@router.get("/models")
async def list_models(deps: Given) -> models.ModelsAnswer:
    """Every model of the repository, its card, and whether it serves."""
    return models.ModelsAnswer(
        models=[
            models.ModelAnswer(
                name=entry.name,
                state=entry.state,
                reason=entry.reason,
                card=asdict(entry.card) if entry.card else None,
            )
            for entry in deps.catalogue.entries
        ]
    )


@router.get("/schemas")
async def list_schemas() -> models.SchemasAnswer:
    """The landmark schemes: names, regions and mirror pairs."""
    ibug68 = models.SchemaAnswer(
        name="ibug68",
        keypoints=landmark_schema.KEYPOINTS,
        names=list(landmark_schema.NAMES),
        regions={name: list(span) for name, span in landmark_schema.REGIONS.items()},
        flip=list(landmark_schema.FLIP),
    )
    return models.SchemasAnswer(schemas=[ibug68])


@router.get("/livez")
async def livez() -> models.StatusAnswer:
    """The process runs. Touches no dependency: a broken engine is no reason for a restart."""
    return models.StatusAnswer(status="alive")


@router.get("/readyz", responses={503: {"model": models.Problem}})
async def readyz(deps: Given) -> models.StatusAnswer:
    """Requests without options can be served; if not, `missing` says why."""
    if missing := await deps.readiness.missing():
        raise BackendUnavailable("not ready", missing=missing)
    return models.StatusAnswer(status="ready")


@router.get("/metrics", response_class=Response)
async def metrics(deps: Given) -> Response:
    """Prometheus' text format."""
    return Response(deps.telemetry.render(), media_type="text/plain; version=0.0.4")


def prefers_png(accept: str) -> bool:
    """Whether `image/png` is named and weighs more than JSON (named, or by a wildcard)."""
    weights = {}
    for item in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in item.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            weights[media_type] = float(quality)
        except ValueError:
            weights[media_type] = 0.0
    return weights.get(_PNG, 0.0) > weights.get("application/json", 0.0)


async def _predict_each(deps: Deps, upload: Upload, keep_frame: bool) -> list[Outcome]:
    """One image after the other, so that a large request takes one slot and not all of them."""
    deadline = deps.service.deadline(upload.options)
    outcomes: list[Outcome] = []
    for image in upload.images:
        try:
            outcomes.append(
                await deps.service.predict(image, upload.options, deadline, keep_frame=keep_frame)
            )
        except ServiceError as error:
            outcomes.append(error)
    _raise_if_whole(outcomes)
    return outcomes


def _raise_if_whole(outcomes: list[Outcome]) -> None:
    """A single bad image is the error itself; so is trouble of ours that left no image answered."""
    errors = [outcome for outcome in outcomes if isinstance(outcome, ServiceError)]
    if len(errors) < len(outcomes):
        return
    if len(errors) == 1:
        raise errors[0]
    for error in errors:
        if not isinstance(error, _IMAGE_ERRORS):
            raise error


async def _until_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Await `work`, but give it up when the client hangs up: ClientGone."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        for future in (task, gone):
            future.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    """Returns when the client hangs up. The body is read: no other message can come."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _note(request: Request, upload: Upload, outcomes: list[Outcome]) -> None:
    """Counts for the log line; never contents."""
    results = [outcome for outcome in outcomes if isinstance(outcome, Result)]
    request.state.facts.update(
        images=len(upload.images),
        bytes=sum(map(len, upload.images)),
        faces=sum(len(result.prediction.faces) for result in results),
        problems=len(outcomes) - len(results),
    )


def _json(upload: Upload, outcomes: list[Outcome]) -> bytes:
    used = next((models.models_used(o) for o in outcomes if isinstance(o, Result)), None)
    images = [
        models.image_answer(index, outcome, upload.options.include)
        if isinstance(outcome, Result)
        else models.ImageAnswer(index=index, problem=problem(outcome))
        for index, outcome in enumerate(outcomes)
    ]
    answer = models.LandmarksAnswer(
        images=images, models=used or models.ModelsUsed(), request_id=request_id.get()
    )
    return answer.model_dump_json().encode()


def _png(outcomes: list[Outcome]) -> bytes:
    (result,) = outcomes
    assert isinstance(result, Result) and result.frame is not None
    prediction = result.prediction
    return draw_faces(result.frame, prediction.faces, prediction.normalisation)
