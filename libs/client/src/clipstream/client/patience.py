"""How often a request is repeated, and how long is waited in between."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """At most `tries`, with pauses that double from `first_s` to `longest_s`. A server that asks for more time than that
    is told on to the caller instead of being waited for."""

    tries: int = 6
    first_s: float = 0.5
    longest_s: float = 30.0

    def allows(self, tried: int, wanted_s: float | None = None) -> bool:
        """Whether there is another try after `tried` of them."""
        return tried < self.tries and (wanted_s or 0.0) <= self.longest_s

    async def pause(self, tried: int, wanted_s: float | None = None) -> None:
        """As long as the server asked for; unasked, at random, so that many who failed together do not return together."""
        if wanted_s is None:
            wanted_s = min(self.first_s * 2 ** (tried - 1), self.longest_s) * random.uniform(0.5, 1.0)  # noqa: S311
        await asyncio.sleep(wanted_s)
