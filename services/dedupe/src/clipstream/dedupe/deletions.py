"""Forgets deleted videos, so that the same clip can be uploaded again."""

from __future__ import annotations

from clipstream.common.bus.port import Bus
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipDeleted
from clipstream.common.store.objects import ObjectStore
from clipstream.dedupe.repository import Repository

QUEUE = "dedupe.deletions"


class Deletions:
    """A consumer of `clip.deleted.v1`; any number of times is the same as once."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def run(self, bus: Bus, _store: ObjectStore) -> None:
        await bus.consume(QUEUE, [ClipDeleted], self.forget, slots=4)

    async def forget(self, envelope: Envelope) -> None:
        await self._repository.forget(envelope.data.video_id)
