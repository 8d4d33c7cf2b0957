"""May the holder of a media address still see the video? Segments are the hottest route, so an answer is kept for some
seconds: somebody who is removed, or a share that is revoked, plays on no longer than that."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from asyncpg import Pool

from clipstream.gateway.repository import live
from clipstream.gateway.signing import Holder

KEPT_S = 3.0
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Answer:
    until: float
    answer: asyncio.Task[bool]


class Watching:
    """Answers from memory for three seconds, then from the database: one question for all who wait for it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._answers: OrderedDict[tuple[Holder, UUID], _Answer] = OrderedDict()

    async def allowed(self, holder: Holder, video_id: UUID) -> bool:
        """An error of the database is raised to all who wait, and not remembered."""
        place = (holder, video_id)
        known = self._answers.get(place)
        if known is None or known.until <= time.monotonic():
            known = self._ask(place)
        try:
            return await asyncio.shield(known.answer)  # who leaves does not take the answer from the others
        except Exception:
            if self._answers.get(place) is known:
                del self._answers[place]
            raise

    def _ask(self, place: tuple[Holder, UUID]) -> _Answer:
        asked = _Answer(time.monotonic() + KEPT_S, asyncio.ensure_future(live.may_watch(self._pool, *place)))
        self._answers[place] = asked
        self._answers.move_to_end(place)
        while len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
        return asked
