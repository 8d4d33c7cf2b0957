"""The bus as everything else sees it. RabbitMQ keeps to it in production, `InMemoryBus` in unit tests; both pass
tests/contract/test_bus.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeAlias

from clipstream.common.contracts.control import StopOrder
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipProgress, Event
from clipstream.common.errors import ClipstreamError

ACK_TIMEOUT = timedelta(hours=2)


class Unroutable(ClipstreamError):
    """No queue takes this event: a queue or binding is missing, which is a mistake of the deployment."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that nobody will try again by itself.

    `reason`: `malformed`, `permanent`, `attempts` and `outage` were decided by the consumer; `delivery_limit` by the
    broker, after as many crashes of the consuming process. `envelope` is None where the body is none.
    """

    queue: str
    reason: str
    error: str
    envelope: Envelope | None
    body: bytes
    headers: Mapping[str, str]


EnvelopeHandler: TypeAlias = Callable[[Envelope], Awaitable[None]]
ProgressHandler: TypeAlias = Callable[[ClipProgress], Awaitable[None]]
StopHandler: TypeAlias = Callable[[StopOrder], Awaitable[None]]
StorageHandler: TypeAlias = Callable[[bytes, Mapping[str, str]], Awaitable[None]]
DeadLetterHandler: TypeAlias = Callable[[DeadLetter], Awaitable[None]]


class Bus(Protocol):
    """Events between services, at least once.

    A handler that returns has its message acknowledged. `Permanent` makes it a dead letter, `Outage` has it tried again
    for hours without burning an attempt, anything else is tried again until the attempts are used up and is a dead
    letter then. A message that arrives again while its first delivery is still being worked on joins that work.
    """

    async def publish(self, envelope: Envelope, *, queue: str | None = None, delay: timedelta | None = None) -> None:
        """Hand an event to the broker and return once it has taken it over.

        With `queue` it goes to that queue alone, with `delay` as well only after (about) that long.
        Raises `Outage` where the broker stays away for longer than a minute, `Unroutable` where no queue takes it.
        """
        ...

    async def progress(self, event: ClipProgress) -> None:
        """Tell whoever listens now. Never waits for the broker and never raises because of it."""
        ...

    async def consume(
        self,
        queue: str,
        types: Sequence[type[Event]],
        handler: EnvelopeHandler,
        *,
        slots: int = 1,
        ack_timeout: timedelta = ACK_TIMEOUT,
    ) -> None:
        """Work on a queue of the topology, `slots` messages at once, from now until `drain`.

        A handler that needs longer than `ack_timeout` is cancelled; that counts as a failed attempt.
        """
        ...

    async def listen(self, types: Sequence[type[Event]], handler: EnvelopeHandler) -> None:
        """Hear events of these types from now on, in every process that listens; what is sent meanwhile is missed."""
        ...

    async def consume_progress(self, handler: ProgressHandler) -> None:
        """Hear progress from now on."""
        ...

    async def stop(self, order: StopOrder) -> None:
        """Tell every process that works now. Never waits for the broker and never raises because of it."""
        ...

    async def consume_stops(self, handler: StopHandler) -> None:
        """Hear from now on what must stop, in every process that listens."""
        ...

    async def consume_dead(self, handler: DeadLetterHandler) -> None:
        """Take every dead letter of the system. A failing handler is called again until it succeeds or says `Permanent`."""
        ...

    async def consume_storage(self, exchange: str, handler: StorageHandler) -> None:
        """Take what an object store announces on `exchange`: body and headers as they come."""
        ...

    async def consumers_ok(self) -> bool:
        """Whether the broker itself says that each of our queues has a consumer; `Outage` where it does not answer."""
        ...

    async def served(self, queue: str) -> bool:
        """Whether the broker says that somebody, in whatever process, consumes `queue`."""
        ...

    async def consumers(self, queue: str) -> int:
        """How many consumers `queue` has, in whatever process, as the broker says; `Outage` where it does not answer."""
        ...

    async def drain(self, timeout: timedelta) -> None:
        """Take no more messages, give back what has not begun, let the rest end; cancel what is left after `timeout`."""
        ...

    async def close(self) -> None: ...
