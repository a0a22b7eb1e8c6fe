"""Errors as RFC 9457 problems: the door's table from error classes to statuses."""

from typing import Any, Final

from starlette.responses import Response

from service import errors
from service.rest.models import Problem
from service.telemetry import request_id

STATUS: Final[dict[type[errors.ServiceError], int]] = {
    errors.ServiceError: 500,
    errors.InvalidInput: 400,
    errors.EmptyInput: 400,
    errors.BrokenImage: 400,
    errors.UnsupportedFormat: 415,
    errors.InputTooLarge: 413,
    errors.InvalidOption: 422,
    errors.VariantUnavailable: 422,
    errors.Overloaded: 429,
    errors.DeadlineExceeded: 504,
    errors.BackendError: 502,
    errors.BackendUnavailable: 503,
    errors.BackendTimeout: 504,
    errors.BackendOverloaded: 429,
    errors.ModelNotFound: 503,
    errors.InferenceFailed: 502,
}

PROBLEM_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:thermal-landmarks:problem:"
_DEFAULT_RETRY_AFTER_S: Final = 1

# Errors of the protocol itself, before any of ours can happen.
_HTTP_CODES: Final = {401: "unauthorised", 404: "not_found", 405: "method_not_allowed"}


def problem(error: errors.ServiceError) -> Problem:
    """The wire form of an error; its message and facts are fit for clients by contract."""
    extra = {key: value for key, value in error.extra.items() if key not in Problem.model_fields}
    return _problem(STATUS[type(error)], error.code, str(error), extra)


def problem_response(error: errors.ServiceError) -> Response:
    """The answer when an error is the whole answer."""
    headers = {}
    if STATUS[type(error)] == 429:
        headers["Retry-After"] = str(error.extra.get("retry_after_s", _DEFAULT_RETRY_AFTER_S))
    return _response(problem(error), headers)


def http_problem_response(status: int, detail: str, headers: dict[str, str]) -> Response:
    """The answer to a request that no route takes."""
    return _response(_problem(status, _HTTP_CODES.get(status, "http_error"), detail, {}), headers)


def internal_problem_response() -> Response:
    """The answer when we are at fault: says nothing about how."""
    return _response(_problem(500, "internal", "an internal error, logged under this id", {}), {})


def _problem(status: int, code: str, detail: str, extra: dict[str, Any]) -> Problem:
    return Problem(
        type=TYPE_PREFIX + code,
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=detail,
        code=code,
        request_id=request_id.get(),
        **extra,
    )


def _response(body: Problem, headers: dict[str, str]) -> Response:
    return Response(
        body.model_dump_json(), status_code=body.status, headers=headers, media_type=PROBLEM_TYPE
    )
