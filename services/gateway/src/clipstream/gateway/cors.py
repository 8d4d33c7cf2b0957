"""Cross-origin requests from the web apps that may send them (`PUBLIC_WEB_URL`, `CORS_ORIGINS`): an exact list, and nobody
else's origin is answered to.

From another origin tokens travel in headers and signed paths, never in cookies, so no answer allows credentials.
"""

from __future__ import annotations

from collections.abc import Collection

from aiohttp import hdrs, web

_METHODS = "GET, HEAD, POST, PUT, DELETE"
_ALLOWED = "authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, range, x-request-id"
_EXPOSED = "etag, retry-after, location, x-request-id, content-range, accept-ranges, idempotency-replayed"
_MAX_AGE_S = "7200"


class Cors:
    """Answers preflights and marks answers, for the origins that may read them."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = origins

    async def mark(self, request: web.Request, response: web.StreamResponse) -> None:
        """Signal `on_response_prepare`: also errors and unrouted 404s are readable by the web app."""
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        if (origin := request.headers.get(hdrs.ORIGIN, "")) in self._origins:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"

    def preflight(self, request: web.Request) -> web.Response | None:
        """The answer to a preflight of our web app; None where the request is none."""
        if request.method != hdrs.METH_OPTIONS or hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers:
            return None
        if request.headers.get(hdrs.ORIGIN, "") not in self._origins:
            return None
        return web.Response(
            status=204,
            headers={
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: _ALLOWED,
                hdrs.ACCESS_CONTROL_MAX_AGE: _MAX_AGE_S,
            },
        )
