"""Every refusal the API can answer with. The body is `{"error": text, "details"?: [text]}`; texts are part of the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError


class ErrorBody(BaseModel):
    """Why a request was not carried out. Some refusals carry one more field, named beside their route."""

    model_config = ConfigDict(extra="allow")

    error: str
    details: list[str] | None = None


class Problem(Exception):
    """A request that is refused, with its status and the text for whoever sent it."""

    def __init__(
        self,
        status: int,
        error: str,
        details: Sequence[str] = (),
        *,
        headers: Mapping[str, str] | None = None,
        **more: str | int | Mapping[str, str] | None,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.details = list(details)
        self.headers = dict(headers or {})
        self.more = more

    def response(self) -> web.Response:
        body = ErrorBody(error=self.error, details=self.details or None, **self.more)
        headers = {"Cache-Control": "no-store"} | self.headers
        if self.status == 401:
            headers.setdefault("WWW-Authenticate", "Bearer")  # RFC 9110 §15.5.2: each 401 says what would do
        return web.Response(
            status=self.status,
            body=body.model_dump_json(exclude_none=True).encode(),
            content_type="application/json",
            headers=headers,
        )


def authentication_required() -> Problem:
    return Problem(401, "Authentication required")


def invalid_token() -> Problem:
    return Problem(401, "Invalid or expired token", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


def insufficient_scope(detail: str, scope: str | None) -> Problem:
    """RFC 6750 §3.1."""
    wanted = "" if scope is None else f', scope="{scope}"'
    return Problem(
        403,
        "Insufficient scope",
        [detail],
        headers={"WWW-Authenticate": f'Bearer error="insufficient_scope"{wanted}'},
    )


def unavailable(error: str = "Service unavailable", reason: str | None = None) -> Problem:
    return Problem(503, error, [reason] if reason else (), headers={"Retry-After": "5"})


def describe(error: ValidationError, where: str = "") -> list[str]:
    """What is wrong with the input, field by field. Never repeats the input itself: it may hold a secret."""
    return [
        _sentence(fault["type"], (where, *fault["loc"]), fault["msg"]) for fault in error.errors(include_input=False)
    ][:20]


def _sentence(kind: str, location: tuple[str | int, ...], message: str) -> str:
    name = ".".join(str(part) for part in location if part != "")[:100] or "the request"
    if kind == "missing":
        return f"{name} is required"
    if kind == "extra_forbidden":
        return f"{name} is not a known field"
    if kind == "json_invalid":
        return f"{name} is not valid JSON"
    text = message.removeprefix("Value error, ")
    return f"{name}: {text[:1].lower()}{text[1:]}"
