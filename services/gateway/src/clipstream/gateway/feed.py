"""Live updates inside this process: who watches which video or stream, and what they have not been told yet.

Level-triggered: a subscription only remembers *that* a clip changed, and its reader then looks at the database. So
nothing can pile up, nothing is lost when a reader is slow, and another gateway process's changes are found by a poll.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import structlog
from asyncpg import Pool

from clipstream.common.contracts.events import ClipProgress
from clipstream.common.db.errors import map_database_errors
from clipstream.common.errors import Transient
from clipstream.gateway.repository import live, videos

POLL_S = 1.0
LOOK_BACK = timedelta(seconds=30)  # longer than any projection's transaction, so that a late commit is still seen
DELETED = -1  # in the place of a revision

log = structlog.get_logger(__name__)


class Subscription:
    """What one reader has not been told yet. Bounded by the clips it watches."""

    def __init__(self) -> None:
        self.changed: set[UUID] = set()
        self.progress: dict[tuple[UUID, str], ClipProgress] = {}
        self._wake = asyncio.Event()

    def note_change(self, video_id: UUID) -> None:
        self.changed.add(video_id)
        self._wake.set()

    def note_progress(self, event: ClipProgress) -> None:
        self.progress[event.video_id, event.stage] = event
        self._wake.set()

    async def wait(self, timeout_s: float) -> tuple[set[UUID], list[ClipProgress]]:
        """What is new; both empty where nothing happened in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()
        changed, progress = self.changed, list(self.progress.values())
        self.changed, self.progress = set(), {}
        return changed, progress


class Feed:
    """The subscriptions of this process, by the id of the video or stream they watch."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._by_video: defaultdict[UUID, set[Subscription]] = defaultdict(set)
        self._by_stream: defaultdict[UUID, set[Subscription]] = defaultdict(set)
        self._told: dict[UUID, int] = {}

    @contextmanager
    def watch_video(self, video_id: UUID) -> Iterator[Subscription]:
        with self._watch(self._by_video, video_id) as subscription:
            yield subscription

    @contextmanager
    def watch_stream(self, stream_id: UUID) -> Iterator[Subscription]:
        with self._watch(self._by_stream, stream_id) as subscription:
            yield subscription

    @contextmanager
    def _watch(self, table: defaultdict[UUID, set[Subscription]], topic: UUID) -> Iterator[Subscription]:
        subscription = Subscription()
        table[topic].add(subscription)
        try:
            yield subscription
        finally:
            table[topic].discard(subscription)
            if not table[topic]:
                del table[topic]

    def changed(self, video_id: UUID, stream_id: UUID) -> None:
        for subscription in self._watching(video_id, stream_id):
            subscription.note_change(video_id)

    def deleted(self, video_ids: Sequence[UUID]) -> None:
        """A whole stream went: only those who watch one of its videos are told of that."""
        for video_id in video_ids:
            for subscription in self._by_video.get(video_id, ()):
                subscription.note_change(video_id)

    def progress(self, event: ClipProgress) -> None:
        for subscription in self._watching(event.video_id, event.stream_id):
            subscription.note_progress(event)

    def _watching(self, video_id: UUID, stream_id: UUID) -> set[Subscription]:
        return self._by_video.get(video_id, set()) | self._by_stream.get(stream_id, set())

    async def run(self) -> None:
        """Find, for as long as somebody watches, what other processes changed."""
        while True:
            await asyncio.sleep(POLL_S)
            if not self._by_video and not self._by_stream:
                self._told.clear()
                continue
            try:
                await self._poll()
            except Transient as error:
                log.warning("feed_poll_failed", reason=str(error))

    async def _poll(self) -> None:
        watched = list(self._by_video), list(self._by_stream)
        with map_database_errors():
            changed = await videos.changed(self._pool, *watched, LOOK_BACK)
            deleted = await live.deleted(self._pool, *watched, LOOK_BACK)
        seen = {row["id"]: (row["stream_id"], row["revision"]) for row in changed}
        seen |= {row["id"]: (row["stream_id"], DELETED) for row in deleted}
        for video_id, (stream_id, revision) in seen.items():
            if self._told.get(video_id) != revision:
                self.changed(video_id, stream_id)
        self._told = {video_id: revision for video_id, (_, revision) in seen.items()}
