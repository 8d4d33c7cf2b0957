"""What people say about a video. The one transaction that changes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from asyncpg import Pool, Record

from clipstream.gateway.repository import videos


async def edit_video(
    pool: Pool,
    video_id: UUID,
    *,
    title: str | None,
    description: str | None,
    tags: Sequence[str] | None,
    check: Callable[[Record], None],
) -> Record | None:
    """The video as it is afterwards, or None where there is none. `check` is shown how it was, and may refuse by
    raising; nothing comes in between."""
    async with pool.acquire() as connection, connection.transaction():
        row = await videos.lock(connection, video_id)
        if row is None:
            return None
        check(row)
        await videos.edit(connection, video_id, title=title, description=description, tags=tags)
        return await videos.by_id(connection, video_id)
