"""What happens to a message between its arrival and its settlement; the same on every bus.

The work lives in tasks of our own, never in the client library's: those are cancelled when a channel closes, and a
broker restart must not stop a long job.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

import structlog

from clipstream.common.bus.job import Job, Malformed, Opener, obituary
from clipstream.common.bus.parcel import Delivery, Outlet
from clipstream.common.bus.retry import Again, RetryPolicy
from clipstream.common.errors import Outage, Transient
from clipstream.common.obs import metrics

log = structlog.get_logger()

Outcome: TypeAlias = Literal["done", "retried", "dead"]
_REMEMBERED = 1000


@dataclass(slots=True)
class _Running:
    task: asyncio.Task[Outcome]
    begun: bool = False


class Worker:
    """Works on the deliveries of one queue, `slots` at once. One owner, no locks: everything runs on one event loop."""

    def __init__(
        self,
        queue: str,
        read: Opener,
        outlet: Outlet,
        policy: RetryPolicy,
        *,
        slots: int = 1,
        time_limit: timedelta | None = None,
        outage_pause: timedelta = timedelta(seconds=1),
    ) -> None:
        self.queue = queue
        self._read = read
        self._outlet = outlet
        self._policy = policy
        self._time_limit = time_limit
        self._outage_pause = outage_pause
        self._slots = asyncio.Semaphore(slots)
        self._running: dict[str, _Running] = {}
        self._deliveries: set[asyncio.Task[None]] = set()
        self._settled: OrderedDict[str, None] = OrderedDict()  # finished, but the broker did not hear of it
        self._outages = 0
        self._draining = False
        metrics.SLOTS.labels(queue).set(slots)

    def accept(self, delivery: Delivery) -> None:
        """Take a delivery over. Returns at once."""
        task = asyncio.create_task(self._own(delivery), name=f"settle {self.queue} {delivery.message_id}")
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    def close(self) -> None:
        """Begin nothing more: what still arrives while the subscription is being ended is given back."""
        self._draining = True

    async def drain(self, timeout: timedelta) -> None:
        """Give back what has not begun, wait for what has, and cancel it where it takes longer than `timeout`. What is
        cancelled is not settled: the broker delivers it again."""
        self.close()
        for running in list(self._running.values()):
            if not running.begun:
                running.task.cancel()
        if self._deliveries:
            log.info("drain_waited", queue=self.queue, jobs=len(self._running), at_most_s=timeout.total_seconds())
            await asyncio.wait(set(self._deliveries), timeout=timeout.total_seconds())
        for running in list(self._running.values()):
            running.task.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)

    async def _own(self, delivery: Delivery) -> None:
        """Whatever goes wrong in here is our own mistake. Giving the message back bounds it: the broker counts."""
        try:
            await self._settle(delivery)
        except Exception:
            log.exception("settlement_failed", queue=self.queue, message_id=delivery.message_id)
            await self._give_back(delivery)

    async def _settle(self, delivery: Delivery) -> None:
        try:
            job = self._read(delivery)
        except Malformed as error:
            log.error("message_malformed", queue=self.queue, error=str(error), body=delivery.body[:1024])
            letter = obituary(delivery, "malformed", str(error))
            await self._until_taken(lambda: self._outlet.bury(self.queue, letter))
            await self._ack(delivery, "dead")
            return
        if job.try_id in self._settled:
            await self._ack(delivery, "joined")
            return
        running = self._join_or_begin(job, delivery)
        if running is None:
            await self._give_back(delivery)
            return
        await asyncio.wait({running.task})
        if not running.task.cancelled():
            if not await self._ack(delivery, running.task.result()):
                self._remember(job.try_id)
        elif not running.begun:
            await self._give_back(delivery)

    def _join_or_begin(self, job: Job, delivery: Delivery) -> _Running | None:
        """The work on this message: already going on in this process, or begun now. None while stopping."""
        if running := self._running.get(job.id):
            log.info("redelivery_joined", queue=self.queue, **job.labels)
            metrics.MESSAGES.labels(self.queue, "joined").inc()
            return running
        if self._draining:
            return None
        running = _Running(asyncio.create_task(self._work(job, delivery), name=f"work {self.queue} {job.id}"))
        self._running[job.id] = running
        running.task.add_done_callback(lambda _: self._running.pop(job.id, None))
        return running

    async def _work(self, job: Job, delivery: Delivery) -> Outcome:
        structlog.contextvars.bind_contextvars(queue=self.queue, attempt=job.attempt, **job.labels)
        async with self._slots:
            await self._pause_after_outage()
            self._running[job.id].begun = True
            with metrics.JOBS_IN_FLIGHT.labels(self.queue).track_inprogress():
                error = await self._run(job)
            self._outages = self._outages + 1 if isinstance(error, Outage) else 0
            return "done" if error is None else await self._after(error, job, delivery)

    async def _pause_after_outage(self) -> None:
        """While a server is away, do not push the whole queue through the retry queues: ask ever more slowly."""
        if self._outages:
            await asyncio.sleep(self._outage_pause.total_seconds() * min(2 ** (self._outages - 1), 15))

    async def _run(self, job: Job) -> Exception | None:
        limit = asyncio.timeout(self._time_limit.total_seconds() if self._time_limit else None)
        try:
            async with limit:
                await job.run()
        except Exception as error:
            if limit.expired() and isinstance(error, TimeoutError):
                return Transient(f"The work took longer than its limit of {self._time_limit} and was stopped.")
            return error
        return None

    async def _after(self, error: Exception, job: Job, delivery: Delivery) -> Outcome:
        now = datetime.now(UTC)
        decision = self._policy.decide(error, attempt=job.attempt, outage_since=job.outage_since, now=now)
        if isinstance(decision, Again):
            log.warning("message_retried", error=str(error), in_s=decision.delay.total_seconds(), outage=decision.outage,
                        exc_info=None if isinstance(error, Transient) else error)  # fmt: skip
            parcel = job.again(decision, now)
            await self._until_taken(lambda: self._outlet.later(self.queue, parcel, decision.delay))
            return "retried"
        log.error("message_died", reason=decision.reason, error=str(error), exc_info=error)
        letter = obituary(delivery, decision.reason, f"{type(error).__name__}: {error}")
        await self._until_taken(lambda: self._outlet.bury(self.queue, letter))
        return "dead"

    async def _until_taken(self, hand_over: Callable[[], Awaitable[None]]) -> None:
        """Hold a message for as long as the broker takes nothing over: giving it back would only count against its
        delivery limit. If the channel is lost meanwhile, the redelivery joins us here."""
        while True:
            try:
                return await hand_over()
            except Outage as error:
                log.warning("message_held", queue=self.queue, error=str(error))

    async def _ack(self, delivery: Delivery, outcome: str) -> bool:
        heard = await delivery.ack()
        metrics.MESSAGES.labels(self.queue, outcome if heard else "settle_lost").inc()
        return heard

    async def _give_back(self, delivery: Delivery) -> None:
        await delivery.requeue()
        metrics.MESSAGES.labels(self.queue, "requeued").inc()

    def _remember(self, try_id: str) -> None:
        self._settled[try_id] = None
        while len(self._settled) > _REMEMBERED:
            self._settled.popitem(last=False)
