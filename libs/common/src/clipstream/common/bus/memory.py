"""The bus within one process, for unit tests: the real worker, the real retry decisions, no broker. It passes the contract
suite of the real one; what it cannot show is what a broker does when it or a process dies."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from clipstream.common.bus.job import Opener, dead_letters, envelopes, notifications
from clipstream.common.bus.parcel import Parcel
from clipstream.common.bus.port import (
    ACK_TIMEOUT,
    DeadLetterHandler,
    EnvelopeHandler,
    ProgressHandler,
    StopHandler,
    StorageHandler,
    Unroutable,
)
from clipstream.common.bus.retry import RetryPolicy
from clipstream.common.bus.topology import DEAD_QUEUE, STORAGE_QUEUE, Topology
from clipstream.common.bus.worker import Worker
from clipstream.common.contracts.control import StopOrder
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipProgress, Event

_LIGHT_SLOTS = 8


@dataclass
class _Subscriber:
    worker: Worker
    free: int


@dataclass
class _Queue:
    """Messages wait here until a subscriber has a free slot."""

    waiting: deque[_MemoryDelivery] = field(default_factory=deque)
    subscribers: list[_Subscriber] = field(default_factory=list)

    def put(self, parcel: Parcel, routing_key: str) -> None:
        self.waiting.append(_MemoryDelivery(self, parcel, routing_key))
        self.pump()

    def pump(self) -> None:
        while self.waiting and (ready := next((each for each in self.subscribers if each.free > 0), None)):
            ready.free -= 1
            delivery = self.waiting.popleft()
            delivery.holder = ready
            ready.worker.accept(delivery)


class _MemoryDelivery:
    def __init__(self, queue: _Queue, parcel: Parcel, routing_key: str) -> None:
        self._queue = queue
        self.body = parcel.body
        self.headers: Mapping[str, str] = parcel.headers
        self.message_id = parcel.message_id
        self.routing_key = routing_key
        self.death: str | None = None
        self.holder: _Subscriber | None = None

    async def ack(self) -> bool:
        return self._release()

    async def requeue(self) -> bool:
        self._queue.waiting.appendleft(self)
        return self._release()

    def _release(self) -> bool:
        if self.holder is not None:
            self.holder.free += 1
            self.holder = None
        self._queue.pump()
        return True


class InMemoryBus:
    """`Bus` within one event loop. All services of a test share one."""

    def __init__(
        self,
        *,
        topology: Topology | None = None,
        policy: RetryPolicy | None = None,
        outage_pause: timedelta = timedelta(0),
    ) -> None:
        self._topology = topology or Topology()
        self._policy = policy or RetryPolicy(steps=self._topology.retry_steps)
        self._outage_pause = outage_pause
        self._queues = {name: _Queue() for name in (*self._topology.queues, DEAD_QUEUE, STORAGE_QUEUE)}
        self._subscribers: list[_Subscriber] = []
        self._listeners: list[tuple[set[str], EnvelopeHandler]] = []
        self._progress_handlers: list[ProgressHandler] = []
        self._stop_handlers: list[StopHandler] = []
        self._timers: set[asyncio.TimerHandle] = set()
        self._open = True

    async def publish(self, envelope: Envelope, *, queue: str | None = None, delay: timedelta | None = None) -> None:
        parcel = Parcel.of(envelope)
        if queue is not None:
            if queue not in self._queues:
                raise Unroutable(f"No queue takes {queue} from exchange 'default': a binding is missing.")
            if delay is None:
                self._queues[queue].put(parcel, queue)
            else:
                await self.later(queue, parcel, self._policy.step(delay))
            return
        if delay is not None:
            raise ValueError("A delayed event needs the queue that it shall come out in.")
        bound = [name for name, types in self._topology.queues.items() if type(envelope.data) in types]
        if not bound:
            raise Unroutable(f"No queue takes {envelope.type} from exchange 'clipstream.events': a binding is missing.")
        for name in bound:
            self._queues[name].put(parcel, envelope.type)
        for types, handler in self._listeners:
            if envelope.type in types:
                await handler(Envelope.from_bytes(parcel.body))

    async def progress(self, event: ClipProgress) -> None:
        for handler in self._progress_handlers:
            await handler(event)

    async def stop(self, order: StopOrder) -> None:
        for handler in self._stop_handlers:
            await handler(order)

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
        self._work(queue, envelopes(types, handler), slots, ack_timeout)

    async def listen(self, types: Sequence[type[Event]], handler: EnvelopeHandler) -> None:
        self._listeners.append(({event.type for event in types}, handler))

    async def consume_progress(self, handler: ProgressHandler) -> None:
        self._progress_handlers.append(handler)

    async def consume_stops(self, handler: StopHandler) -> None:
        self._stop_handlers.append(handler)

    async def consume_dead(self, handler: DeadLetterHandler) -> None:
        self._work(DEAD_QUEUE, dead_letters(handler, patience_s=(0.01,)), _LIGHT_SLOTS, None)

    async def consume_storage(self, exchange: str, handler: StorageHandler) -> None:
        self._work(STORAGE_QUEUE, notifications(handler), _LIGHT_SLOTS, ACK_TIMEOUT)

    async def consumers_ok(self) -> bool:
        return self._open

    async def served(self, queue: str) -> bool:
        return await self.consumers(queue) > 0

    async def consumers(self, queue: str) -> int:
        return len(self._queues[queue].subscribers) if self._open and queue in self._queues else 0

    async def drain(self, timeout: timedelta) -> None:
        for subscriber in self._subscribers:
            subscriber.free = -1_000_000
        await asyncio.gather(*(subscriber.worker.drain(timeout) for subscriber in self._subscribers))

    async def close(self) -> None:
        self._open = False
        for timer in self._timers:
            timer.cancel()

    async def announce(self, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Be the object store: put a notification on its exchange."""
        self._queues[STORAGE_QUEUE].put(Parcel(body, message_id="", headers=headers or {}), "storage")

    async def inject(self, queue: str, body: bytes) -> None:
        """Put anything at all into a queue, as a stranger could."""
        self._queues[queue].put(Parcel(body, message_id="stranger"), queue)

    def waiting(self, queue: str) -> int:
        """How many messages nobody has taken from `queue` yet."""
        return len(self._queues[queue].waiting)

    async def later(self, queue: str, parcel: Parcel, delay: timedelta) -> None:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(delay.total_seconds(), lambda: self._queues[queue].put(parcel, queue))
        self._timers.add(timer)

    async def bury(self, queue: str, parcel: Parcel) -> None:
        self._queues[DEAD_QUEUE].put(parcel, queue)

    def _work(self, queue: str, read: Opener, slots: int, limit: timedelta | None) -> None:
        pause = self._outage_pause
        worker = Worker(queue, read, self, self._policy, slots=slots, time_limit=limit, outage_pause=pause)
        subscriber = _Subscriber(worker, slots)
        self._subscribers.append(subscriber)
        self._queues[queue].subscribers.append(subscriber)
        self._queues[queue].pump()
