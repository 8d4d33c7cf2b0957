"""How many workers each stage has, as the broker counts them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from clipstream.common.bus.port import Bus
from clipstream.common.contracts.events import Stage
from clipstream.common.errors import Outage
from clipstream.gateway.clip import LANES, STAGES

FRESH_S = 5.0
PATIENCE_S = 2.0


class Workers:
    """Counts at most every five seconds; a stage that the broker does not answer for is missing.

    A worker of a stage that works in parts takes from each of its queues, so that the fullest of them tells how many there are.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._counted: dict[Stage, int] = {}
        self._counted_at = -FRESH_S

    async def counted(self) -> Mapping[Stage, int]:
        if time.monotonic() - self._counted_at >= FRESH_S:
            self._counted_at = time.monotonic()
            counts = await asyncio.gather(*(self._count(stage) for stage in STAGES))
            self._counted = {stage: count for stage, count in zip(STAGES, counts, strict=True) if count is not None}
        return self._counted

    async def _count(self, stage: Stage) -> int | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                queues = (stage, *LANES.get(stage, ()))
                return max(await asyncio.gather(*(self._bus.consumers(queue) for queue in queues)))
        except (Outage, TimeoutError):
            return None
