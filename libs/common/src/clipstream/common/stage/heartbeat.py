"""Signs of life of one attempt: `started`, then progress as it comes, and at least a heartbeat. The gateway takes a stage
that is silent for a minute for dead and gives its event to somebody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from clipstream.common.bus.port import Bus
from clipstream.common.contracts.events import ClipProgress

AT_LEAST_EVERY_S = 10.0  # the contract says 15
AT_MOST_EVERY_S = 1.0


@dataclass
class Heartbeat:
    """Tells how far one attempt is. `tell` belongs to the event loop's thread."""

    bus: Bus
    said: ClipProgress
    at_least_every_s: float = AT_LEAST_EVERY_S
    at_most_every_s: float = AT_MOST_EVERY_S
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, fraction: float, note: str | None) -> None:
        """Note how far the work is. Never goes backwards."""
        further = min(max(self.said.fraction, fraction), 1.0)  # in this order not-a-number changes nothing
        self.said = self.said.model_copy(update={"state": "running", "fraction": further, "note": note})
        self._news.set()

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Say `started` now, and go on telling until the block ends; at a good end say so: it may be some time until the
        stage's next job on this video begins, and nobody shall take it for dead meanwhile."""
        await self.bus.progress(self.said)
        self.said = self.said.model_copy(update={"state": "running"})
        beat = asyncio.create_task(self._beat(), name=f"heartbeat {self.said.stage} {self.said.video_id}")
        try:
            yield
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)
        await self.bus.progress(self.said.model_copy(update={"fraction": 1.0}))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.at_most_every_s)
            try:
                async with asyncio.timeout(self.at_least_every_s - self.at_most_every_s):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            await self.bus.progress(self.said)
