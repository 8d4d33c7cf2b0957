"""Entity tags of answers, and changes that are only made to what the caller saw (RFC 9110 §8.8.3 and §13.1.1)."""

from __future__ import annotations

import hashlib

from aiohttp import hdrs, web
from pydantic import BaseModel

from clipstream.gateway.problems import Problem

PRECONDITION_FAILED = "Precondition failed"


def etag_of(body: bytes) -> str:
    """The strong entity tag of an answer."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def require_match(request: web.Request, current: BaseModel) -> None:
    """Refuse a change where `If-Match` is given and names another state than `current`, which is what GET answers now.
    To be asked inside the transaction that makes the change, with the row locked."""
    given = [tag.strip() for line in request.headers.getall(hdrs.IF_MATCH, []) for tag in line.split(",")]
    if given and "*" not in given and etag_of(current.model_dump_json().encode()) not in given:
        raise Problem(412, PRECONDITION_FAILED, ["It has changed since you read it: read it again, then change it."])
