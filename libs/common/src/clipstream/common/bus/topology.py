"""Every exchange and queue, and who gets which event. Each service declares all of it at start, so that services can
start in any order and no event finds its reader's queue missing.

Arguments of a queue can never be changed in place (the broker answers 406): a change needs a new queue name, and the old
queue drained. All of them mean the same on RabbitMQ 3.10 to 4.x.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractQueue

from clipstream.common.bus.retry import STEPS
from clipstream.common.contracts.events import (
    EVENTS,
    ClipAdmitted,
    ClipDeleted,
    ClipEmbedded,
    ClipIngested,
    ClipProgress,
    ClipTranscribed,
    ClipUnique,
    Event,
    LongPartPlanned,
    PartPlanned,
    UploadCompleted,
)

EVENTS_EXCHANGE = "clipstream.events"  # topic, routing key = event type
PROGRESS_EXCHANGE = "clipstream.progress"  # topic, transient
CONTROL_EXCHANGE = "clipstream.control"  # topic, transient; the gateway's words to whoever works now
DEAD_EXCHANGE = "clipstream.dead"  # topic, routing key = the queue the message died in
DEAD_QUEUE = "gateway.dead"
PROJECTOR_QUEUE = "gateway.projector"
STORAGE_QUEUE = "ingest.storage"

_DELIVERY_LIMIT = 3  # crashes of the consuming process; the broker delivers once more than this
_CONSUMER_TIMEOUT = timedelta(hours=2)  # since 3.12 per queue; before, the node's own setting holds
_UNLIMITED = 1_000_000  # 4.x has a default of 20, and 3.10 does not know how to say "none"

_WORK_ONLY = (ClipProgress, PartPlanned, LongPartPlanned)

Arguments: TypeAlias = dict[str, str | int]

_NO_LONGER: Mapping[str, tuple[type[Event], ...]] = {
    "transcode": (ClipUnique,),
    "stt": (ClipUnique,),
    "embed": (ClipUnique,),
}
"""Bindings of earlier versions: a queue that outlived an upgrade would get events that its consumer does not know."""

QUEUES: Mapping[str, tuple[type[Event], ...]] = {
    "ingest": (UploadCompleted,),
    "preview": (ClipIngested,),
    "dedupe": (ClipIngested,),
    "transcode": (ClipAdmitted,),
    "transcode.short": (PartPlanned,),
    "transcode.long": (LongPartPlanned,),
    "stt": (ClipAdmitted,),
    "embed": (ClipAdmitted,),
    "captions": (ClipTranscribed,),
    "search_text": (ClipTranscribed,),
    "search_vectors": (ClipEmbedded,),
    "dedupe.deletions": (ClipDeleted,),
    "search.deletions": (ClipDeleted,),
    PROJECTOR_QUEUE: tuple(event for event in EVENTS.values() if event not in _WORK_ONLY),
}


def retry_exchange(delay: timedelta) -> str:
    """The exchange whose messages come out in the queue named by their routing key, `delay` later."""
    return f"clipstream.{retry_queue(delay)}"


def retry_queue(delay: timedelta) -> str:
    milliseconds = round(delay / timedelta(milliseconds=1))
    for unit, size in (("m", 60_000), ("s", 1000)):
        if milliseconds % size == 0:
            return f"retry.{milliseconds // size}{unit}"
    return f"retry.{milliseconds}ms"


def work_arguments(queue: str) -> Arguments:
    """Arguments of a queue whose messages are work: what kills its consumers too often becomes a dead letter."""
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": _DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD_EXCHANGE,
        "x-dead-letter-routing-key": queue,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",  # at-least-once dead-lettering needs it
        "x-consumer-timeout": round(_CONSUMER_TIMEOUT / timedelta(milliseconds=1)),
    }


def retry_arguments(delay: timedelta) -> Arguments:
    """Arguments of a waiting room. Without a dead-letter routing key a message keeps its own: its way back."""
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": _UNLIMITED,
        "x-message-ttl": round(delay / timedelta(milliseconds=1)),
        "x-dead-letter-exchange": "",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def parking_arguments() -> Arguments:
    """Arguments of the queue where dead letters stay until somebody has dealt with them."""
    return {"x-queue-type": "quorum", "x-delivery-limit": _UNLIMITED}


@dataclass(frozen=True, slots=True)
class Topology:
    """Queues with the events bound to them, and the delays there are. Tests make smaller ones."""

    queues: Mapping[str, tuple[type[Event], ...]] = field(default_factory=lambda: QUEUES)
    retry_steps: tuple[timedelta, ...] = STEPS

    def check(self, queue: str, types: Sequence[type[Event]]) -> None:
        """ValueError where somebody means to consume what is not bound: it would wait for ever."""
        where = "correct clipstream.common.bus.topology"
        if queue not in self.queues:
            raise ValueError(f"There is no queue {queue!r} in the topology: {where}.")
        if set(types) != set(self.queues[queue]):
            bound = ", ".join(event.type for event in self.queues[queue])
            raise ValueError(f"The events bound to {queue!r} are {bound}; the consumer handles others: {where}.")

    async def declare(self, channel: AbstractChannel) -> None:
        """Declare everything. Costs one round trip each, about 50 in all; what exists already stays as it is."""
        await channel.declare_exchange(EVENTS_EXCHANGE, ExchangeType.TOPIC, durable=True)
        await channel.declare_exchange(PROGRESS_EXCHANGE, ExchangeType.TOPIC, durable=True)
        await channel.declare_exchange(CONTROL_EXCHANGE, ExchangeType.TOPIC, durable=True)
        dead = await channel.declare_exchange(DEAD_EXCHANGE, ExchangeType.TOPIC, durable=True)
        await (await self.declare_queue(channel, DEAD_QUEUE)).bind(dead, "#")
        for delay in self.retry_steps:
            exchange = await channel.declare_exchange(retry_exchange(delay), ExchangeType.FANOUT, durable=True)
            name, arguments = retry_queue(delay), retry_arguments(delay)
            await (await channel.declare_queue(name, durable=True, arguments=dict(arguments))).bind(exchange)
        for queue in self.queues:
            await self.declare_queue(channel, queue)

    async def declare_queue(self, channel: AbstractChannel, name: str) -> AbstractQueue:
        """Declare one queue that is consumed, with its bindings."""
        arguments = parking_arguments() if name == DEAD_QUEUE else work_arguments(name)
        queue = await channel.declare_queue(name, durable=True, arguments=dict(arguments))
        for event in self.queues.get(name, ()):
            await queue.bind(EVENTS_EXCHANGE, event.type)
        for event in _NO_LONGER.get(name, ()):
            await queue.unbind(EVENTS_EXCHANGE, event.type)
        return queue
