"""The bus on RabbitMQ."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import structlog
from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity
from pydantic import ValidationError

from clipstream.common.bus.connection import CONNECTION_ERRORS, Link
from clipstream.common.bus.consumer import Consumer, Declare
from clipstream.common.bus.job import Opener, dead_letters, envelopes, notifications
from clipstream.common.bus.parcel import Delivery, Parcel
from clipstream.common.bus.port import (
    ACK_TIMEOUT,
    DeadLetterHandler,
    EnvelopeHandler,
    ProgressHandler,
    StopHandler,
    StorageHandler,
)
from clipstream.common.bus.publisher import Publisher
from clipstream.common.bus.retry import RetryPolicy
from clipstream.common.bus.topology import (
    CONTROL_EXCHANGE,
    DEAD_QUEUE,
    EVENTS_EXCHANGE,
    PROGRESS_EXCHANGE,
    STORAGE_QUEUE,
    Arguments,
    Topology,
    work_arguments,
)
from clipstream.common.bus.worker import Worker
from clipstream.common.contracts.control import StopOrder
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipProgress, Event
from clipstream.common.errors import Outage
from clipstream.common.obs import metrics
from clipstream.common.settings import BusSettings

log = structlog.get_logger()

T = TypeVar("T")

_LIGHT_SLOTS = 8
_ANSWER_S = 10.0
_STOP = "stop"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the bus waits for what. Tests are in more of a hurry."""

    connect: timedelta = timedelta(seconds=60)
    publish: timedelta = timedelta(seconds=60)
    outage_pause: timedelta = timedelta(seconds=1)
    self_check: timedelta = timedelta(seconds=15)


async def connect(
    settings: BusSettings,
    service: str,
    *,
    topology: Topology | None = None,
    policy: RetryPolicy | None = None,
    patience: Patience | None = None,
) -> RabbitBus:
    """Connect and declare the topology. Waits a minute for a broker that is still starting, then raises `Outage`."""
    topology = topology or Topology()
    bus = RabbitBus(
        str(settings.amqp_url),
        service,
        topology,
        policy or RetryPolicy(steps=topology.retry_steps),
        patience or Patience(),
    )
    await bus.open()
    return bus


class RabbitBus:
    """`Bus` on RabbitMQ: one connection that publishes and one that consumes."""

    def __init__(self, url: str, service: str, topology: Topology, policy: RetryPolicy, patience: Patience) -> None:
        self._topology = topology
        self._policy = policy
        self._patience = patience
        self._publishing = Link(url, f"{service} publishes", topology.declare)
        self._consuming = Link(url, f"{service} consumes", topology.declare)
        self._publisher = Publisher(self._publishing, service, patience=patience.publish)
        self._workers: list[Worker] = []
        self._consumers: dict[str, Consumer] = {}
        self._listeners: list[Consumer] = []
        self._hearing: set[asyncio.Task[None]] = set()
        self._self_check: asyncio.Task[None] | None = None
        self._count_is_true = True

    async def open(self) -> None:
        await self._publishing.wait_for_broker(self._patience.connect.total_seconds())
        await self._publisher.open()
        self._self_check = asyncio.create_task(self._watch_consumers(), name="bus self-check")

    async def publish(self, envelope: Envelope, *, queue: str | None = None, delay: timedelta | None = None) -> None:
        parcel = Parcel.of(envelope)
        if queue is None:
            if delay is not None:
                raise ValueError("A delayed event needs the queue that it shall come out in.")
            await self._publisher.publish(EVENTS_EXCHANGE, envelope.type, parcel)
        elif delay is None:
            await self._publisher.to_queue(queue, parcel)
        else:
            await self._publisher.later(queue, parcel, self._policy.step(delay))

    async def progress(self, event: ClipProgress) -> None:
        parcel = Parcel(event.model_dump_json().encode(), message_id="", type=event.type)
        await self._publisher.tell(PROGRESS_EXCHANGE, event.type, parcel)

    async def stop(self, order: StopOrder) -> None:
        parcel = Parcel(order.model_dump_json().encode(), message_id="", type=_STOP)
        await self._publisher.tell(CONTROL_EXCHANGE, _STOP, parcel)

    async def consume(
        self,
        queue: str,
        types: Sequence[type[Event]],
        handler: EnvelopeHandler,
        *,
        slots: int = 1,
        ack_timeout: timedelta = ACK_TIMEOUT,
    ) -> None:
        self._topology.check(queue, types)

        await self._work(queue, envelopes(types, handler), self._declared(queue), slots, ack_timeout)

    async def consume_dead(self, handler: DeadLetterHandler) -> None:
        await self._work(DEAD_QUEUE, dead_letters(handler), self._declared(DEAD_QUEUE), _LIGHT_SLOTS, None)

    async def consume_storage(self, exchange: str, handler: StorageHandler) -> None:
        async def declared(channel: AbstractChannel) -> AbstractQueue:
            await channel.declare_exchange(exchange, ExchangeType.TOPIC, durable=True)
            queue = await channel.declare_queue(
                STORAGE_QUEUE, durable=True, arguments=dict(work_arguments(STORAGE_QUEUE))
            )
            await queue.bind(exchange, "#")
            return queue

        await self._work(STORAGE_QUEUE, notifications(handler), declared, _LIGHT_SLOTS, ACK_TIMEOUT)

    async def listen(self, types: Sequence[type[Event]], handler: EnvelopeHandler) -> None:
        async def hear(delivery: Delivery) -> None:
            await handler(Envelope.from_bytes(delivery.body))

        await self._hear(EVENTS_EXCHANGE, [event.type for event in types], hear)

    async def consume_progress(self, handler: ProgressHandler) -> None:
        async def hear(delivery: Delivery) -> None:
            await handler(ClipProgress.model_validate_json(delivery.body))

        await self._hear(PROGRESS_EXCHANGE, ["#"], hear)

    async def consume_stops(self, handler: StopHandler) -> None:
        async def hear(delivery: Delivery) -> None:
            await handler(StopOrder.model_validate_json(delivery.body))

        await self._hear(CONTROL_EXCHANGE, [_STOP], hear)

    async def consumers_ok(self) -> bool:
        if not all(consumer.subscribed for consumer in (*self._consumers.values(), *self._listeners)):
            await self._ask(lambda channel: channel.close())
            return False
        if not self._count_is_true:
            return True
        return all([await self.served(queue) for queue in self._consumers])

    async def drain(self, timeout: timedelta) -> None:
        if self._self_check is not None:
            self._self_check.cancel()
        for worker in self._workers:
            worker.close()
        await asyncio.gather(*(consumer.stop() for consumer in self._consumers.values()))
        await asyncio.gather(*(worker.drain(timeout) for worker in self._workers))

    async def close(self) -> None:
        if self._self_check is not None:
            self._self_check.cancel()
        for consumer in (*self._consumers.values(), *self._listeners):
            await consumer.close()
        for task in self._hearing:
            task.cancel()
        await self._consuming.close()
        await self._publishing.close()

    def _declared(self, queue: str) -> Declare:
        """Redeclares the queue with each subscription: somebody may have deleted it."""
        return lambda channel: self._topology.declare_queue(channel, queue)

    async def _work(
        self,
        queue: str,
        read: Opener,
        declared: Declare,
        slots: int,
        limit: timedelta | None,
    ) -> None:
        pause = self._patience.outage_pause
        worker = Worker(queue, read, self._publisher, self._policy, slots=slots, time_limit=limit, outage_pause=pause)
        consumer = Consumer(self._consuming, queue, declared, worker.accept, prefetch=slots)
        self._workers.append(worker)
        self._consumers[queue] = consumer
        await consumer.start()

    async def _hear(self, exchange: str, keys: Sequence[str], hear: Callable[[Delivery], Awaitable[None]]) -> None:
        """A queue of this process alone, gone with it. What it misses is gone, too."""

        async def declared(channel: AbstractChannel) -> AbstractQueue:
            arguments: Arguments = {"x-max-length": 1000, "x-overflow": "drop-head"}
            queue = await channel.declare_queue(exclusive=True, auto_delete=True, arguments=dict(arguments))
            for key in keys:
                await queue.bind(exchange, key)
            return queue

        def accept(delivery: Delivery) -> None:
            task = asyncio.create_task(_heard(hear, delivery))
            self._hearing.add(task)
            task.add_done_callback(self._hearing.discard)

        label = f"{exchange} ({', '.join(keys)})"
        consumer = Consumer(self._consuming, label, declared, accept, prefetch=0, no_ack=True)
        self._listeners.append(consumer)
        await consumer.start()

    async def _watch_consumers(self) -> None:
        """Heal what only the broker can see: a queue that we believe to consume, and that has no consumer."""
        while True:
            await asyncio.sleep(self._patience.self_check.total_seconds())
            with suppress(Outage):
                for queue, consumer in self._consumers.items():
                    await self._heal(queue, consumer)

    async def _heal(self, queue: str, consumer: Consumer) -> None:
        """RabbitMQ before April 2026 could answer for quorum queues with the number of unsettled messages instead
        (rabbitmq-server#16185). One that says 0 right after it confirmed a consumer is not asked again."""
        if not self._count_is_true or not consumer.subscribed or await self.served(queue):
            return
        log.error("consumer_missing", queue=queue)
        await consumer.resubscribe()
        await consumer.wait_subscribed()
        self._count_is_true = await self.served(queue)
        if not self._count_is_true:
            log.warning("consumer_count_untrusted", queue=queue)

    async def served(self, queue: str) -> bool:
        return await self.consumers(queue) > 0

    async def consumers(self, queue: str) -> int:
        """What the broker says; a queue that does not exist has none."""

        async def count(channel: AbstractChannel) -> int:
            try:
                declared = await channel.declare_queue(queue, passive=True)
            except ChannelNotFoundEntity:
                return 0
            await channel.close()
            return declared.declaration_result.consumer_count or 0

        return await self._ask(count)

    async def _ask(self, question: Callable[[AbstractChannel], Awaitable[T]]) -> T:
        """Ask the broker on a fresh channel, where nothing is cached; `Outage` where it does not answer."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await question(await self._consuming.channel())
        except CONNECTION_ERRORS as error:
            raise Outage(f"RabbitMQ does not answer: {error or type(error).__name__}") from error


async def _heard(hear: Callable[[Delivery], Awaitable[None]], delivery: Delivery) -> None:
    try:
        await hear(delivery)
    except ValidationError as error:
        metrics.PROGRESS_LOST.inc()
        log.warning("message_unheard", routing_key=delivery.routing_key, error=str(error))
    except Exception:
        metrics.PROGRESS_LOST.inc()
        log.exception("listener_failed", routing_key=delivery.routing_key)
