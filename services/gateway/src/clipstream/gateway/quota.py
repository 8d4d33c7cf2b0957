"""How much one user and one stream may store, in bytes that really lie there: originals and what was made of them. A clip
whose file is still to come counts as large as it was announced, so that what was admitted also fits."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from asyncpg import Connection

from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import videos
from clipstream.gateway.settings import Settings
from clipstream.gateway.uploading import size_in_words


@dataclass(frozen=True, slots=True)
class Quotas:
    """Bounds in bytes, and of videos that wait for their files; None where there is none."""

    user: int | None = None
    stream: int | None = None
    most_open: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> Quotas:
        return cls(settings.user_quota, settings.stream_quota, settings.max_open_uploads)

    @property
    def bound_bytes(self) -> bool:
        return self.user is not None or self.stream is not None


async def reserve(connection: Connection, quotas: Quotas, *, uploader_id: UUID, stream_id: UUID, size: int) -> None:
    """Refuse a clip that does not fit, in the transaction that adds it: nobody else adds one here meanwhile."""
    if quotas.user is not None:  # the user before the stream, always: nobody waits for somebody who waits for them
        await videos.hold_quota(connection, uploader_id)
    if quotas.stream is not None:
        await videos.hold_quota(connection, stream_id)
    used = await videos.used(connection, uploader_id, stream_id)
    for whose, held, limit in (
        ("your clips", used["by_user"], quotas.user),
        ("this stream's clips", used["in_stream"], quotas.stream),
    ):
        if limit is not None and held + size > limit:
            detail = f"{whose} take {size_in_words(held)} of {size_in_words(limit)}; this one has {size_in_words(size)}"
            raise Problem(507, "Storage quota exceeded", [detail])


def too_many_open(most: int | None) -> Problem:
    detail = f"at most {most} clips may wait for their files at a time; send or delete some"
    return Problem(429, "Too many open uploads", [detail], headers={"Retry-After": "60"})
