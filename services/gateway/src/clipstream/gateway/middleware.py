"""Around every request: the API's own shape for whatever went wrong, and headers that every answer has."""

from __future__ import annotations

import structlog
from aiohttp import hdrs, web
from asyncpg import ForeignKeyViolationError

from clipstream.common.db.errors import map_database_errors
from clipstream.common.errors import Transient
from clipstream.common.obs.requests import Handler, mark
from clipstream.gateway.problems import Problem, unavailable

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-site",
}
_TEXTS = {
    400: "Invalid request",
    404: "Not found",
    405: "Method not allowed",
    413: "Request body too large",
    415: "Unsupported media type",
}

log = structlog.get_logger(__name__)


@web.middleware
async def shape(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers in the API's own form, whatever goes wrong."""
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


protect = mark(_HEADERS)
