"""The outermost layer: request id, metrics, one log line, and the last net for unknown errors."""

import logging
import time
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.rest.disconnect import ClientGone
from service.rest.problems import internal_problem_response
from service.telemetry import Telemetry, choose_request_id, request_id

REQUEST_ID_HEADER: Final = "X-Request-ID"
CLIENT_GONE: Final = 499  # in logs and metrics alone: nobody is left to read it

access_log = logging.getLogger("thermal.access")


class Edge:
    """Plain ASGI: Starlette's own base class would hide the client's disconnect from us."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        call = _Call(scope, send)
        scope = call.scope
        token = request_id.set(call.id)
        try:
            await self._app(scope, receive, call.send)
        except ClientGone:
            call.status = CLIENT_GONE
        except Exception:  # not one of ours: logged whole, told without internals
            logging.getLogger("thermal.rest").exception("unhandled error")
            if call.status is not None:
                raise  # half an answer is out: the server must break the connection
            await internal_problem_response()(scope, receive, call.send)
        finally:
            self._record(call)
            request_id.reset(token)

    def _record(self, call: "_Call") -> None:
        seconds = time.perf_counter() - call.started
        status = CLIENT_GONE if call.status is None else call.status
        route = getattr(call.scope.get("route"), "path", "unmatched")
        self._telemetry.requests.labels("rest", route, str(status)).inc()
        self._telemetry.request_duration.labels("rest", route).observe(seconds)
        facts = {
            "method": call.method,
            "route": route,
            "status": status,
            "duration_ms": round(1000 * seconds, 2),
            **call.facts,
        }
        access_log.info("request", extra={"facts": facts})


class _Call:
    """One request on its way: watches the answer's status and stamps the id on it."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.method = scope["method"]
        # HEAD is routed as GET; the server, which still sees HEAD, leaves the body out.
        self.scope = scope = {**scope, "method": "GET"} if self.method == "HEAD" else scope
        self.started = time.perf_counter()
        self.status: int | None = None
        self.id = choose_request_id(Headers(scope=scope).get(REQUEST_ID_HEADER, ""))
        self.facts: dict[str, Any] = {}
        scope.setdefault("state", {})["facts"] = self.facts
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)[REQUEST_ID_HEADER] = self.id
        await self._send(message)
