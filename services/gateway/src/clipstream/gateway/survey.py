"""How much lies where in the store: counted in the background by listing it, and remembered. A large store takes minutes
to list, so that nobody ever waits for it; whoever asks gets the last count with its age, and has a new one begun."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from clipstream.common.errors import ClipstreamError
from clipstream.common.store.objects import ObjectStore

FRESH_S = 300.0
PATIENCE_S = 2.0
OTHER = "other"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """What lies below one prefix."""

    objects: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Count:
    """One listing of the whole store: prefix to what lies there. `counted_at` is monotonic."""

    prefixes: Mapping[str, Held]
    counted_at: float

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.counted_at


class Survey:
    """Counts when asked, one listing at a time."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._wanted = asyncio.Event()
        self._first = asyncio.Event()
        self._last: Count | None = None

    async def look(self) -> Count | None:
        """The last count. Where there is none yet, the first is waited for, for two seconds."""
        if self._last is None or self._last.age_s > FRESH_S:
            self._wanted.set()
        if self._last is None:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._first.wait()
            except TimeoutError:
                return None
        return self._last

    async def run(self) -> None:
        """Count whenever somebody asks, until cancelled."""
        while True:
            await self._wanted.wait()
            try:
                self._last = Count(await self._count(), time.monotonic())
                self._first.set()
            except ClipstreamError as error:
                log.warning("store_not_counted", reason=str(error))
            self._wanted.clear()

    async def _count(self) -> Mapping[str, Held]:
        objects: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        async for stored in self._store.list(""):
            prefix, slash, _ = stored.key.partition("/")
            name = f"{prefix}/" if slash else OTHER
            objects[name] += 1
            sizes[name] += stored.size_bytes
        return {name: Held(objects[name], sizes[name]) for name in sorted(objects)}
