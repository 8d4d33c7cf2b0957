"""A message as bytes with its labels, on its way in or out; what both buses move about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from clipstream.common.contracts.envelope import Envelope

ATTEMPT = "attempt"
OUTAGE_SINCE = "outage-since"
DEAD_REASON = "dead-reason"
DEAD_ERROR = "dead-error"


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is published. Headers never start with `x-`: those belong to the broker, and a copied `x-death` makes
    RabbitMQ before 4.0 take a retry for a routing cycle and drop it."""

    body: bytes
    message_id: str
    type: str = ""
    correlation_id: str | None = None
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, envelope: Envelope) -> Parcel:
        """The envelope itself is the body; what an operator looks for first is repeated outside."""
        headers = {ATTEMPT: str(envelope.attempt)}
        if envelope.traceparent:
            headers["traceparent"] = envelope.traceparent
        return cls(
            body=envelope.to_bytes(),
            message_id=str(envelope.id),
            type=envelope.type,
            correlation_id=str(envelope.correlationid),
            time=envelope.time,
            headers=headers,
        )


class Delivery(Protocol):
    """What was received, and the one chance to settle it."""

    body: bytes
    headers: Mapping[str, str]
    message_id: str
    routing_key: str
    death: str | None  # why the broker gave this message up, where it did

    async def ack(self) -> bool:
        """Done with it. False where the broker no longer waits for the answer and will deliver it again."""
        ...

    async def requeue(self) -> bool:
        """Somebody else may have it."""
        ...


class Outlet(Protocol):
    """Where a worker's leftovers go. Both raise `Outage` where the broker does not take them over."""

    async def later(self, queue: str, parcel: Parcel, delay: timedelta) -> None: ...

    async def bury(self, queue: str, parcel: Parcel) -> None: ...
