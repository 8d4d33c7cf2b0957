"""Marked pictures of videos. The preview stage makes them with the poster; where it has not, they are drawn here, each
once: it is kept under a name that says what it was drawn from."""

from __future__ import annotations

import asyncio
from uuid import UUID

from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound, Permanent
from clipstream.common.store.objects import ObjectInfo, ObjectStore
from clipstream.gateway import overlays
from clipstream.gateway.overlays import Mark

AT_ONCE = 2
POSTER_LIMIT = 2 << 20


class Thumbnails:
    """Draws into the store; at most two pictures at a time in one process."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._drawing = asyncio.Semaphore(AT_ONCE)

    async def marked(self, video_id: UUID, mark: Mark, *, title: str, poster: ObjectKey | None) -> ObjectKey:
        """Where the marked picture lies. Without a poster it is a card with the title's first letter."""
        made = keys.thumbnail(VideoId(video_id), mark)
        if await self._head(made) is not None:
            return made
        found = None if poster is None else await self._head(poster)
        letter = overlays.initial(title)
        version = "card" if found is None else found.etag
        drawn = keys.derived(keys.thumbnail(VideoId(video_id)), version, f"{mark}-{overlays.DESIGN}{letter}.jpg")
        if await self._head(drawn) is None:
            async with self._drawing:
                if await self._head(drawn) is None:
                    picture = None if found is None else await self._read(found.key)
                    jpeg = await asyncio.to_thread(overlays.draw, picture, mark, letter)
                    await self._store.put(drawn, jpeg, content_type="image/jpeg")
        return drawn

    async def _head(self, key: ObjectKey) -> ObjectInfo | None:
        try:
            return await self._store.head(key)
        except NotFound:
            return None

    async def _read(self, key: ObjectKey) -> bytes | None:
        """None where it is gone meanwhile, or too large to be a poster."""
        try:
            return await self._store.get(key, limit=POSTER_LIMIT)
        except (NotFound, Permanent):
            return None
