"""Around every call: tokens, request id, metrics, one log line, errors as statuses."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from grpc import StatusCode
from grpc.aio import AbortError, ServicerContext

from service.errors import ServiceError
from service.rpc.statuses import CODE_KEY, STATUS, Metadata, error_metadata
from service.telemetry import Telemetry, choose_request_id, request_id
from service.tokens import Tokens

REQUEST_ID_KEY: Final = "x-request-id"

access_log = logging.getLogger("thermal.access")
_CODES: Final = {
    StatusCode.OK, StatusCode.CANCELLED, StatusCode.UNAUTHENTICATED, *STATUS.values()
}  # fmt: skip

Context = ServicerContext[Any, Any]


class Unauthorised(Exception):
    """The call has no valid token."""

    code = "unauthorised"


class Edge:
    """Calls go through `call`, whose body asks `admit` first."""

    def __init__(self, telemetry: Telemetry, tokens: Tokens) -> None:
        self._telemetry = telemetry
        self._tokens = tokens

    def prime(self, *routes: str) -> None:
        """Make the series of these methods exist before their first call."""
        self._telemetry.prime_requests("grpc", routes, sorted(code.name for code in _CODES))

    def admit(self, context: Context) -> None:
        """Unauthorised without a valid token."""
        given = dict(context.invocation_metadata() or ())
        if not self._tokens.admit(str(given.get("authorization", ""))):
            raise Unauthorised

    @asynccontextmanager
    async def call(
        self, context: Context, route: str, *, timed: bool = True
    ) -> AsyncIterator[dict[str, Any]]:
        """Run a method's body; what it puts into the mapping goes into the log line.

        timed: whether its duration goes into the requests' histogram; a stream's is none.
        """
        sent_id = str(dict(context.invocation_metadata() or ()).get(REQUEST_ID_KEY, ""))
        call_id = choose_request_id(sent_id)
        token, started = request_id.set(call_id), time.perf_counter()
        facts: dict[str, Any] = {}
        status = StatusCode.OK
        context.set_trailing_metadata(((REQUEST_ID_KEY, call_id),))
        try:
            yield facts
        except Unauthorised:
            status, facts["code"] = StatusCode.UNAUTHENTICATED, Unauthorised.code
            code = ((CODE_KEY, Unauthorised.code),)
            await _abort(context, status, "a valid API token is needed", code)
        except ServiceError as error:
            status, facts["code"] = STATUS[type(error)], error.code
            await _abort(context, status, str(error), error_metadata(error))
        except asyncio.CancelledError:
            status = _why_cancelled(context)
            raise
        except AbortError:
            raise
        except Exception:  # not one of ours: logged whole, told without internals
            logging.getLogger("thermal.rpc").exception("unhandled error")
            status, facts["code"] = StatusCode.INTERNAL, ServiceError.code
            detail = "an internal error, logged under this id"
            await _abort(context, status, detail, ((CODE_KEY, ServiceError.code),))
        finally:
            seconds = time.perf_counter() - started
            self._telemetry.requests.labels("grpc", route, status.name).inc()
            if timed:
                self._telemetry.request_duration.labels("grpc", route).observe(seconds)
            line = {"method": "gRPC", "route": route, "status": status.name}
            duration = {"duration_ms": round(1000 * seconds, 2)}
            access_log.info("request", extra={"facts": {**line, **duration, **facts}})
            request_id.reset(token)


async def _abort(context: Context, status: StatusCode, detail: str, metadata: Metadata) -> None:
    """End the call, with its id and `metadata`."""
    trailing = (*metadata, (REQUEST_ID_KEY, request_id.get() or ""))
    await context.abort(status, detail, trailing)


def _why_cancelled(context: Context) -> StatusCode:
    """The caller's own deadline cancels the call as well."""
    left = context.time_remaining()
    past = left is not None and left <= 0
    return StatusCode.DEADLINE_EXCEEDED if past else StatusCode.CANCELLED
