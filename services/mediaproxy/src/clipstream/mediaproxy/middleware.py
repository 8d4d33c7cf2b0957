"""Around every request: one shape for whatever went wrong, and headers that every answer has."""

from __future__ import annotations

import structlog
from aiohttp import hdrs, web

from clipstream.common.errors import ClipstreamError, Transient
from clipstream.common.obs.requests import CLIENT_GONE, Handler, mark
from clipstream.mediaproxy.problems import Problem, problem_of

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Nothing stored here is ever a page: whatever somebody uploaded, a browser runs none of it.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-site",
}
_TEXTS = {400: "Invalid request", 404: "Not found", 405: "Method not allowed", 413: "File too large"}

log = structlog.get_logger(__name__)


@web.middleware
async def shape(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers in the API's own form, whatever goes wrong."""
    try:
        return await handler(request)
    except Problem as problem:
        return problem.response()
    except web.HTTPException as error:
        kept = {"Allow": error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else None
        return Problem(error.status, _TEXTS.get(error.status, error.reason), headers=kept).response()
    except ClipstreamError as error:
        if isinstance(error, Transient):
            log.warning("request_refused", reason=str(error))
        return problem_of(error).response()
    except ConnectionError:  # the client's: the store's are ClipstreamErrors by now
        return web.Response(status=CLIENT_GONE)
    except Exception:
        log.exception("request_failed")
        return Problem(500, "Internal server error").response()


protect = mark(_HEADERS)
