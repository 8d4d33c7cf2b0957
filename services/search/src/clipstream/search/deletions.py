"""Forgets deleted videos: their words and their vectors."""

from __future__ import annotations

from clipstream.common.bus.port import Bus
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipDeleted
from clipstream.common.store.objects import ObjectStore
from clipstream.common.vectors.index import VectorIndex
from clipstream.search.repository import Repository
from clipstream.search.stage import of_video

QUEUE = "search.deletions"


class Deletions:
    """A consumer of `clip.deleted.v1`; any number of times is the same as once."""

    def __init__(self, repository: Repository, index: VectorIndex) -> None:
        self._repository = repository
        self._index = index

    async def run(self, bus: Bus, _store: ObjectStore) -> None:
        await bus.consume(QUEUE, [ClipDeleted], self.forget, slots=4)

    async def forget(self, envelope: Envelope) -> None:
        video_id = envelope.data.video_id
        for collection in await self._repository.forget(video_id):
            await self._index.delete(collection, of_video(video_id))
