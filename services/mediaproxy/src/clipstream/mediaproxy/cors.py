"""Cross-origin requests from the one web app that may send them (`PUBLIC_WEB_URL`): it uploads to signed addresses here
and plays from them. Nothing here knows cookies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from yarl import URL

from clipstream.common.obs.requests import Handler

_METHODS = "GET, HEAD, PUT"
_ALLOWED = "content-type, if-match, if-none-match, range, x-request-id"
_EXPOSED = "etag, retry-after, x-request-id, content-range, accept-ranges, content-length"
_MAX_AGE_S = "7200"


class Cors:
    """Answers preflights and marks answers, for one origin."""

    def __init__(self, web_url: str | None) -> None:
        self._origin = None if web_url is None else str(URL(web_url).origin())

    async def mark(self, request: web.Request, response: web.StreamResponse) -> None:
        """Signal `on_response_prepare`: refusals are readable by the web app too."""
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        if self._ours(request):
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = request.headers[hdrs.ORIGIN]
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED

    @property
    def preflights(self) -> Callable[..., Awaitable[web.StreamResponse]]:
        """The middleware that answers them; a preflight of anybody else is a request like others."""

        @web.middleware
        async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
            asks = request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
            if not (asks and self._ours(request)):
                return await handler(request)
            return web.Response(
                status=204,
                headers={
                    hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
                    hdrs.ACCESS_CONTROL_ALLOW_HEADERS: _ALLOWED,
                    hdrs.ACCESS_CONTROL_MAX_AGE: _MAX_AGE_S,
                },
            )

        return answer

    def _ours(self, request: web.Request) -> bool:
        return self._origin is not None and request.headers.get(hdrs.ORIGIN) == self._origin
