"""Every refusal the media proxy can answer with: `{"error": text, "details"?: [text]}`, and for the store's own errors the
name that a client makes the same error of again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiohttp import web

from clipstream.common.errors import ClipstreamError, Conflict, NotFound, Permanent, Rejected
from clipstream.common.store.proxy.wire import FAULT

_RETRY_AFTER_S = "5"


class Problem(Exception):
    """A request that is refused. `fault` names the error of clipstream.common.errors that the refusal stands for."""

    def __init__(
        self,
        status: int,
        error: str,
        details: Sequence[str] = (),
        *,
        fault: type[ClipstreamError] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.details = list(details)
        self.headers = dict(headers or {}) | ({} if fault is None else {FAULT: fault.__name__})

    def response(self) -> web.Response:
        body: dict[str, object] = {"error": self.error}
        if self.details:
            body["details"] = self.details
        return web.json_response(body, status=self.status, headers={"Cache-Control": "no-store"} | self.headers)


def problem_of(error: ClipstreamError) -> Problem:
    """How the store's errors are told. What an outage says about the store is for the log, not for a caller."""
    told = [str(error)]
    if isinstance(error, NotFound):
        return Problem(404, "Object not found", told, fault=NotFound)
    if isinstance(error, Conflict):
        return Problem(412, "Precondition failed", told, fault=Conflict)
    if isinstance(error, Rejected):
        return Problem(422, "Content refused", told, fault=Rejected)
    if isinstance(error, Permanent):
        return invalid(*told)
    return unavailable()


def invalid(*details: str) -> Problem:
    return Problem(400, "Invalid request", details, fault=Permanent)


def unavailable() -> Problem:
    return Problem(503, "Service unavailable", headers={"Retry-After": _RETRY_AFTER_S})


def too_large(limit: int) -> Problem:
    return Problem(413, "File too large", [f"At most {limit} bytes are stored."], fault=Permanent)


def authentication_required() -> Problem:
    return Problem(401, "Authentication required", headers={"WWW-Authenticate": "Bearer"})
