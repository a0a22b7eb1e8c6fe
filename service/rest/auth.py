"""Which paths ask for an API token."""

from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.rest.problems import http_problem_response
from service.tokens import Tokens

# Orchestrators and Prometheus ask without a token, and browsers load the page of the API without
# one. None of these shows an image, a landmark or a model's card. Every other path is closed.
OPEN: Final = frozenset({"/livez", "/readyz", "/metrics", "/docs", "/openapi.json"})
_OPEN_BELOW: Final = "/docs/"
_CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}


class BearerAuth:
    """Plain ASGI, inside `Edge`: 401 unless the request has one of `tokens` (RFC 6750)."""

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._admits(scope):
            await self._app(scope, receive, send)
            return
        refusal = http_problem_response(401, "a valid API token is needed", _CHALLENGE)
        await refusal(scope, receive, send)

    def _admits(self, scope: Scope) -> bool:
        if scope["type"] == "lifespan":
            return True
        path = scope["path"]
        if path in OPEN or path.startswith(_OPEN_BELOW):
            return True
        return self._tokens.admit(Headers(scope=scope).get("Authorization", ""))
