"""What the object store says by its webhook: a hint where to look, never a fact."""

from __future__ import annotations

import hashlib
import hmac

import structlog
from aiohttp import hdrs
from pydantic import BaseModel, SecretStr

from clipstream.common.contracts import keys
from clipstream.common.contracts.announcements import Announcement, Malformed, announced
from clipstream.gateway import arrivals
from clipstream.gateway.access import Access
from clipstream.gateway.limits import Limit
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import videos
from clipstream.gateway.routes.api import Call, RouteTable
from clipstream.gateway.services import Services

table = RouteTable("uploads")
log = structlog.get_logger(__name__)


class Taken(BaseModel):
    """How many uploads were found to have arrived."""

    announced: int


@table.route(
    "POST",
    "/webhooks/minio/upload-complete",
    access=Access.SIGNED,
    errors={
        400: "Invalid notification",
        401: "Invalid webhook token",
        408: "Request timed out",
        413: "Request body too large",
    },
    limit=Limit.UPLOAD,
)
async def take_notification(call: Call) -> Taken:
    """For the object store: an upload has arrived. The store itself is asked; strange keys change nothing"""
    if not _proves_itself(call.request.headers.get(hdrs.AUTHORIZATION, ""), call.services.settings.minio_webhook_token):
        raise Problem(401, "Invalid webhook token")
    try:
        hints = announced(await call.request.read())  # bounded by the application's client_max_size
    except Malformed as error:
        raise Problem(400, "Invalid notification", [str(error)[:200]]) from error
    return Taken(announced=sum([await _look(call.services, hint) for hint in dict.fromkeys(hints)]))


def _proves_itself(given: str, token: SecretStr | None) -> bool:
    """`Bearer <token>`, or the token alone, as MinIO sends what it was told to. Without a token nobody is believed."""
    scheme, _, rest = given.partition(" ")
    said = rest.strip() if scheme.lower() == "bearer" else given.strip()
    wanted = "" if token is None else token.get_secret_value()
    return hmac.compare_digest(_digest(said), _digest(wanted)) and wanted != ""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="replace")).digest()


async def _look(services: Services, hint: Announcement) -> bool:
    """Whether an upload that we wait for lies where the hint says."""
    video_id = keys.video_of_original(hint.key)
    if video_id is None or hint.bucket != services.store.bucket:
        return False
    row = await videos.by_id(services.pool, video_id)
    if row is None or row["key"] != hint.key or row["status"] != "uploading":
        return False
    try:
        stored = await arrivals.stored_file(services, row)
    except Problem as problem:
        log.info("notification_ignored", video_id=str(video_id), reason=problem.details)
        return False
    await arrivals.announce(services, row, stored, by="webhook")
    return True
