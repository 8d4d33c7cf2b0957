"""Whether failed work is tried again, and when: a pure decision, made the same way by the bus and by the stage runner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from clipstream.common.errors import Outage, Permanent, Transient

STEPS = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
)


@dataclass(frozen=True, slots=True)
class Again:
    """Try again after `delay`. `outage`: it was not the work's fault, so no attempt is burnt."""

    delay: timedelta
    outage: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not try again."""

    reason: Literal["permanent", "attempts", "outage"]


Decision: TypeAlias = Again | GiveUp


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Delays are the broker's retry queues, nothing between them: each queue has one constant delay, because a quorum
    queue lets expired messages go only at its head (rabbitmq.com/docs/ttl)."""

    steps: tuple[timedelta, ...] = STEPS
    max_attempts: int = 5
    outage_patience: timedelta = timedelta(hours=12)

    def decide(self, error: BaseException, *, attempt: int, outage_since: datetime | None, now: datetime) -> Decision:
        """What follows from `error` in the `attempt`-th try (from 1)."""
        if isinstance(error, Permanent):
            return GiveUp("permanent")
        if isinstance(error, Outage):
            return self._after_outage(now - (outage_since or now), error.retry_after)
        if attempt >= self.max_attempts:
            return GiveUp("attempts")
        delay = self.steps[min(attempt, len(self.steps)) - 1]
        wanted = error.retry_after if isinstance(error, Transient) else None
        return Again(self.step(max(delay, wanted)) if wanted else delay)

    def _after_outage(self, elapsed: timedelta, wanted: timedelta | None) -> Decision:
        """Wait about as long again as the outage has lasted: soon back after a restart, rarely asking after hours."""
        if elapsed >= self.outage_patience:
            return GiveUp("outage")
        return Again(self.step(max(elapsed, wanted or elapsed)), outage=True)

    def step(self, delay: timedelta) -> timedelta:
        """The shortest retry queue that waits at least `delay`, else the longest there is."""
        return next((step for step in self.steps if step >= delay), self.steps[-1])
