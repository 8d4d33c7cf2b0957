"""Around every request: an id, one log line, one measurement, and the API's own shape for whatever went wrong."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

import structlog
from aiohttp import hdrs, web
from asyncpg import ForeignKeyViolationError

from clipstream.common.db.errors import map_database_errors
from clipstream.common.errors import Transient
from clipstream.common.obs import metrics
from clipstream.gateway.problems import Problem, unavailable

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REQUEST_ID = "X-Request-Id"
_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
_GIVEN_ID = re.compile(r"^[A-Za-z0-9_-]{8,64}$")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-site",
}
_SERVER = "clipstream"  # nobody need know which versions of what
_TEXTS = {
    400: "Invalid request",
    404: "Not found",
    405: "Method not allowed",
    413: "Request body too large",
    415: "Unsupported media type",
}

log = structlog.get_logger(__name__)


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Names the request in every log line it causes. Logs the route, never the path: paths can hold signatures."""
    given = request.headers.get(REQUEST_ID, "")
    request_id = request[_ID] = given if _GIVEN_ID.match(given) else uuid4().hex
    route = request.match_info.route.resource
    name = "unknown" if route is None else route.canonical
    began = time.monotonic()
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        status = 499
        try:
            response = await _answer(request, handler)
            status = response.status
            return response
        finally:
            seconds = time.monotonic() - began
            metrics.HTTP_SECONDS.labels(name, request.method, str(status)).observe(seconds)
            log.info("request_answered", method=request.method, route=name, status=status, seconds=round(seconds, 4))


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        with map_database_errors():
            return await handler(request)
    except Problem as problem:
        return problem.response()
    except web.HTTPException as error:
        return _from_aiohttp(error)
    except ForeignKeyViolationError as error:  # what the request belongs to was deleted after it had been looked up
        log.info("request_overtaken", constraint=error.constraint_name)
        return Problem(404, "Not found").response()
    except Transient as error:
        log.warning("request_refused", reason=str(error))
        return unavailable().response()
    except Exception:
        log.exception("request_failed")
        return Problem(500, "Internal server error").response()


def _from_aiohttp(error: web.HTTPException) -> web.StreamResponse:
    if error.status < 400:
        raise error
    kept = {"Allow": error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else None
    return Problem(error.status, _TEXTS.get(error.status, error.reason), headers=kept).response()


async def protect(request: web.Request, response: web.StreamResponse) -> None:
    """Headers that every answer has, streams included (signal `on_response_prepare`)."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers[hdrs.SERVER] = _SERVER
    if _ID in request:
        response.headers[REQUEST_ID] = request[_ID]
