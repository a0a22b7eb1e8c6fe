"""The REST application: routes, error tables and the edge around them."""

from typing import Any, Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from service.errors import ServiceError
from service.rest.auth import BearerAuth
from service.rest.disconnect import ClientGone
from service.rest.docs import add_docs
from service.rest.edge import Edge
from service.rest.openapi import describe
from service.rest.problems import STATUS, http_problem_response, problem_response
from service.rest.routes import Deps, router
from service.tokens import Tokens

API_VERSION: Final = "1.0.0"
_DESCRIPTION: Final = "68 facial landmarks (iBUG order) in thermal images of any usual format."


def create_app(deps: Deps, tokens: Tokens) -> FastAPI:
    """The application around `deps`, open to those whom `tokens` admit.

    Its description needs none of them: see `describe_api`.
    """
    app = _bare_app()
    app.state.deps = deps
    app.add_middleware(BearerAuth, tokens=tokens)
    app.add_middleware(Edge, telemetry=deps.telemetry)  # the last one added is the outermost
    codes = sorted({str(status) for status in (200, *STATUS.values())})
    deps.telemetry.prime_requests("rest", ["/landmarks"], codes)
    return app


def describe_api() -> dict[str, Any]:
    """The OpenAPI document, without a running service."""
    return _bare_app().openapi()


def _bare_app() -> FastAPI:
    app = FastAPI(
        title="Thermal facial landmarks",
        version=API_VERSION,
        description=_DESCRIPTION,
        docs_url=None,  # the stock pages load their scripts from elsewhere
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.include_router(router)
    add_docs(app)
    app.add_exception_handler(ServiceError, _on_service_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    document = describe(app)
    app.openapi = lambda: document  # type: ignore[method-assign]
    return app


async def _on_service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    request.state.facts["code"] = error.code
    return problem_response(error)


async def _on_http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return http_problem_response(error.status_code, error.detail, dict(error.headers or {}))


async def _on_disconnect(_: Request, __: Exception) -> Response:
    raise ClientGone
