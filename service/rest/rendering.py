"""From outcomes to answers: JSON, or the drawn picture."""

from typing import Final

from starlette.responses import Response

from service.errors import InvalidOption
from service.imaging.drawing import draw_faces
from service.landmarks import Result
from service.outcomes import Outcome
from service.rest import models
from service.rest.body import Upload
from service.rest.problems import problem
from service.telemetry import request_id

_PNG: Final = "image/png"
_JSON: Final = "application/json"


def wants_png(accept: str, upload: Upload) -> bool:
    """Whether the caller asks for the picture; InvalidOption when there would be several."""
    wanted = _weight(accept, _PNG) > _weight(accept, _JSON)
    if wanted and len(upload.images) > 1:
        raise InvalidOption("Accept: a picture can be drawn of one image only")
    return wanted


def render_json(upload: Upload, outcomes: list[Outcome]) -> Response:
    """The one answer shape, whatever the number of images."""
    used = models.models_used(next((o for o in outcomes if isinstance(o, Result)), None))
    images = [
        models.image_answer(index, outcome, upload.options.include)
        if isinstance(outcome, Result)
        else models.failed_answer(index, problem(outcome))
        for index, outcome in enumerate(outcomes)
    ]
    answer = models.LandmarksAnswer(images=images, models=used, request_id=request_id.get())
    return Response(answer.model_dump_json(exclude_unset=True), media_type=_JSON)


def render_png(_: Upload, outcomes: list[Outcome]) -> Response:
    """The one image of the request with its faces drawn, in the grid that was sent."""
    (result,) = outcomes
    assert isinstance(result, Result) and result.frame is not None
    prediction = result.prediction
    picture = draw_faces(result.frame, prediction.faces, prediction.normalisation)
    return Response(picture, media_type=_PNG)


def count(upload: Upload, outcomes: list[Outcome]) -> dict[str, int]:
    """Numbers for the log line; never contents."""
    results = [outcome for outcome in outcomes if isinstance(outcome, Result)]
    return {
        "images": len(upload.images),
        "bytes": sum(map(len, upload.images)),
        "faces": sum(len(result.prediction.faces) for result in results),
        "problems": len(outcomes) - len(results),
    }


def _weight(accept: str, media_type: str) -> float:
    """The weight of a media type that an Accept header names; 0 if it does not (wildcards too)."""
    for item in accept.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        if name == media_type:
            given = [part[2:] for part in parameters if part.startswith("q=")]
            try:
                return float(given[0]) if given else 1.0
            except ValueError:
                return 0.0
    return 0.0
