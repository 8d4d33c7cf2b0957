"""The file of a video, from the announced name to the object in the store. Single, chunked and form uploads meet here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound
from clipstream.common.store.objects import ObjectInfo
from clipstream.gateway import commands
from clipstream.gateway.commands import Announcer
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import uploads
from clipstream.gateway.services import Services


def metadata(stream_id: UUID, user_id: UUID, filename: str) -> dict[str, str]:
    """What travels with the object, so that ingest knows it from the bucket alone."""
    return {"stream-id": str(stream_id), "user-id": str(user_id), "filename": filename}


def incomplete(*details: str) -> Problem:
    return Problem(409, "Upload not complete", details)


def already_complete() -> Problem:
    return Problem(409, "Upload already complete")


async def stored_file(services: Services, video: Mapping[str, Any]) -> ObjectInfo:
    """The file as it was announced, or 409 in words."""
    try:
        stored = await services.store.head(ObjectKey(video["key"]))
    except NotFound as error:
        raise incomplete("the file has not arrived in the store") from error
    if stored.size_bytes != video["size_bytes"]:
        raise incomplete(f"{stored.size_bytes} bytes arrived, {video['size_bytes']} were announced")
    return stored


async def announce(
    services: Services,
    video: Mapping[str, Any],
    stored: ObjectInfo,
    *,
    by: Announcer = "client",
    upload_id: UUID | None = None,
) -> None:
    """Processing begins, once. `upload_id`: the chunked upload that became the file."""
    async with services.pool.acquire() as connection, connection.transaction():
        if upload_id is not None:
            await uploads.end(connection, upload_id, "complete")
        await commands.announce(
            connection,
            services.projector,
            stored,
            video_id=video["id"],
            stream_id=video["stream_id"],
            bucket=services.store.bucket,
            by=by,
        )
    services.projector.tell(video["id"], video["stream_id"])
    services.relay.wake()
