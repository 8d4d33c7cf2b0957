"""Around every request of an API: an id, one log line, one measurement, and headers that every answer has."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from uuid import uuid4

import structlog
from aiohttp import hdrs, web

from clipstream.common.obs import metrics

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REQUEST_ID = "X-Request-Id"
CLIENT_GONE = 499
_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
_GIVEN_ID = re.compile(r"^[A-Za-z0-9_-]{8,64}$")
_SERVER = "clipstream"  # nobody need know which versions of what

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
        status = CLIENT_GONE
        try:
            response = await handler(request)
            status = response.status
            return response
        finally:
            seconds = time.monotonic() - began
            metrics.HTTP_SECONDS.labels(name, request.method, str(status)).observe(seconds)
            log.info("request_answered", method=request.method, route=name, status=status, seconds=round(seconds, 4))


def mark(headers: Mapping[str, str]) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """A signal `on_response_prepare`: `headers` where an answer has none of its own, streams included, and its id."""

    async def prepare(request: web.Request, response: web.StreamResponse) -> None:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        response.headers[hdrs.SERVER] = _SERVER
        if _ID in request:
            response.headers[REQUEST_ID] = request[_ID]

    return prepare
