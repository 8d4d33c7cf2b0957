"""The store behind a gateway, with a gate before its parts: what arrives is counted, and may be held up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Outage
from clipstream.common.store.disk.store import DiskStore
from clipstream.common.store.objects import Part
from integration.gateway.world import World


@dataclass
class Gate:
    """Lets `allowed` parts through, then no more until it is opened. `stored` are the numbers of those that arrived."""

    allowed: int = 1000
    failing: int = 0  # as many parts fail before
    begun: list[int] = field(default_factory=list)
    stored: list[int] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def before(cls, world: World, *, allowed: int = 1000, failing: int = 0) -> Gate:
        gate, store = cls(allowed, failing), world.store
        assert isinstance(store, DiskStore)
        through = store.put_part

        async def put_part(
            key: ObjectKey, store_id: str, number: int, body: AsyncIterator[bytes], *, sha256: str | None = None
        ) -> Part:
            gate.begun.append(number)
            await gate.wait()
            part = await through(key, store_id, number, body, sha256=sha256)
            gate.stored.append(number)
            if len(gate.stored) >= gate.allowed and not gate.opened.is_set():
                gate.held.set()
            return part

        store.put_part = put_part  # type: ignore[method-assign]
        return gate

    async def wait(self) -> None:
        if self.failing:
            self.failing -= 1
            raise Outage("The disk has come loose.")
        if len(self.begun) > self.allowed:
            await self.opened.wait()

    async def until_held(self) -> None:
        """As many parts as were allowed have arrived."""
        async with asyncio.timeout(60):
            await self.held.wait()

    def open(self) -> None:
        self.opened.set()
        self.held.clear()
