"""The description of the API, as OpenAPI 3.0: the newest that the bundled page renders."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.options import PredictOptions
from service.rest import models
from service.rest.auth import OPEN
from service.rest.body import DEADLINE_HEADER, IMAGE_FIELD

OPENAPI_VERSION: Final = "3.0.3"

_BINARY: Final = {"type": "string", "format": "binary"}
# Either: whether tokens are asked for is a setting of the service.
_SECURITY: Final[list[dict[str, list[str]]]] = [{}, {"token": []}]
_SCHEMES: Final = {"token": {"type": "http", "scheme": "bearer"}}
_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_UNAUTHORISED: Final = {
    "description": "The service asks for an API token, and this request has none that is valid.",
    "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
    "content": _PROBLEM,
}
_PROBLEMS: Final = {
    400: "Empty, truncated or broken.",
    413: "Too many bytes or pixels.",
    415: "Not one of the allowed formats, by its first bytes.",
    422: "An option is unknown or not allowed, or the variant is not published.",
    429: "Load is being shed; see Retry-After.",
    500: "A fault of the service.",
    502: "Inference failed inside the engine.",
    503: "Not ready.",
    504: "Past its deadline.",
}


def _options() -> dict[str, dict[str, Any]]:
    """JSON schema by option, as it travels: lists become strings."""
    schemas: dict[str, dict[str, Any]] = PredictOptions.model_json_schema()["properties"]
    for name, kind in (("boxes", "JSON"), ("include", "comma-separated")):
        text = schemas[name].get("description", kind)
        schemas[name] = {"type": "string", "description": text}
    return {name: _as_3_0(schema) for name, schema in schemas.items()}


def _parameters(options: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    header = {"name": DEADLINE_HEADER, "in": "header", "schema": options["deadline_ms"]}
    return [
        *({"name": name, "in": "query", "schema": schema} for name, schema in options.items()),
        {**header, "description": "The same as `deadline_ms`, which wins."},
        {"name": "X-Request-ID", "in": "header", "schema": {"type": "string", "maxLength": 64}},
    ]


def _request_body() -> dict[str, Any]:
    """The options are not listed again: the page would send all of them twice, and be refused."""
    images = {"type": "array", "items": _BINARY, "description": "One or several image files."}
    form = {
        "type": "object",
        "description": "Every option of the query may be a field here instead.",
        "required": [IMAGE_FIELD],
        "properties": {IMAGE_FIELD: images},
    }
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": form},
            "application/octet-stream": {"schema": _BINARY},
        },
    }


def _landmarks_docs() -> dict[str, Any]:
    options = _options()
    answers: dict[int, dict[str, Any]] = {
        status: {"description": text, "content": _PROBLEM} for status, text in _PROBLEMS.items()
    }
    answers[429]["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    drawn = {"image/png": {"schema": _BINARY}}
    answers[200] = {"model": models.LandmarksAnswer, "content": drawn}
    extra = {"parameters": _parameters(options), "requestBody": _request_body()}
    return {"responses": answers, "openapi_extra": extra}


def describe(app: FastAPI) -> dict[str, Any]:
    """The whole document."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version=OPENAPI_VERSION,
        description=app.description,
        routes=app.routes,
    )
    described: dict[str, Any] = _as_3_0(document)
    described["components"]["securitySchemes"] = _SCHEMES
    for path, operations in described["paths"].items():
        if path not in OPEN:
            for operation in operations.values():
                operation["security"] = _SECURITY
                operation["responses"]["401"] = _UNAUTHORISED
    return described


def _as_3_0(node: Any) -> Any:
    """JSON Schema 2020-12, which pydantic writes, in the words of OpenAPI 3.0."""
    if isinstance(node, list):
        return [_as_3_0(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: _as_3_0(value) for key, value in node.items()}
    choices = out.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        rest = [choice for choice in choices if choice != {"type": "null"}]
        del out["anyOf"]
        out = {**out, **(rest[0] if len(rest) == 1 and "$ref" not in rest[0] else {"allOf": rest})}
        out["nullable"] = True
        if out.get("default") is None:
            out.pop("default", None)
    for bound, plain in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(out.get(bound), int | float) and not isinstance(out[bound], bool):
            out[plain], out[bound] = out[bound], True
    return out


LANDMARKS_DOCS: Final = _landmarks_docs()
