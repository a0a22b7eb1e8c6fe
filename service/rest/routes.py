"""The endpoints: parse, call, map."""

from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from service import landmark_schema
from service.catalogue import Catalogue
from service.errors import BackendUnavailable
from service.landmarks import LandmarkService
from service.outcomes import predict_each
from service.readiness import Readiness
from service.rest import models
from service.rest.body import Intake
from service.rest.disconnect import until_gone
from service.rest.openapi import LANDMARKS_DOCS
from service.rest.rendering import count, render_json, render_png, wants_png
from service.telemetry import Telemetry
from service.workers import Workers


@dataclass(frozen=True)
class Deps:
    """What the routes work with; made by the composition root."""

    service: LandmarkService
    catalogue: Catalogue
    readiness: Readiness
    telemetry: Telemetry
    workers: Workers
    intake: Intake


async def _deps(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


Given = Annotated[Deps, Depends(_deps)]
router = APIRouter()


@router.post("/landmarks", **LANDMARKS_DOCS)
async def landmarks(request: Request, deps: Given) -> Response:
    """Find the 68 landmarks of every face in one or several thermal images."""
    async with deps.intake.receive(request) as upload:
        png = wants_png(request.headers.get("accept", ""), upload)
        deadline = deps.service.deadline(upload.options)
        work = predict_each(deps.service, upload.images, upload.options, deadline, keep_frame=png)
        outcomes = await until_gone(request, work)
        request.state.facts.update(count(upload, outcomes))
        async with deadline.enforced():
            with deps.telemetry.stage("encode"):
                render = render_png if png else render_json
                return await deps.workers.run(render, upload, outcomes)


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
async def readyz(deps: Given) -> models.ReadyAnswer:
    """Requests without options can be served; if not, `missing` says why."""
    if missing := await deps.readiness.missing():
        raise BackendUnavailable("not ready", missing=missing)
    return models.ReadyAnswer(
        status="ready",
        backend=deps.readiness.backend_name,
        auto=[models.model_used(model) for model in deps.catalogue.auto_models()],
    )


@router.get("/metrics", response_class=Response)
async def metrics(deps: Given) -> Response:
    """Prometheus' text format."""
    deps.telemetry.ready.set(not await deps.readiness.missing())
    return Response(deps.telemetry.render(), media_type="text/plain; version=0.0.4")
