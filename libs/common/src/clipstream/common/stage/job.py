"""Everything around a handler that makes a stage safe to repeat, to kill and to run twice; written once, for all stages."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar, cast

import structlog

from clipstream.common.bus.port import Bus
from clipstream.common.bus.retry import Again, RetryPolicy
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipFailed, ClipProgress, ClipRejected, Event
from clipstream.common.contracts.ids import RunId
from clipstream.common.errors import Cancelled, ClipstreamError, Rejected, Transient
from clipstream.common.obs import metrics, tracing
from clipstream.common.stage import manifest
from clipstream.common.stage.attempt import Attempt, Isolate
from clipstream.common.stage.heartbeat import Heartbeat
from clipstream.common.stage.manifest import Manifest
from clipstream.common.stage.scratch import Scratch
from clipstream.common.stage.spec import Part, StageSpec
from clipstream.common.stage.stops import Stops
from clipstream.common.store.objects import ObjectStore

log = structlog.get_logger()

E = TypeVar("E", bound=Event)

# Beyond this the broker takes a message away from its consumer (2 h, see the topology).
LONGEST = timedelta(minutes=110)
_WHOLE = Part("", 0, 1)


@dataclass
class StageJobs(Generic[E]):
    """Handles the events of one stage. A handler for `Bus.consume`: what it raises is tried again by the bus."""

    spec: StageSpec[E]
    bus: Bus
    store: ObjectStore
    scratch: Scratch
    threads: Executor
    caged: Isolate
    stops: Stops
    policy: RetryPolicy = field(default_factory=RetryPolicy)

    @property
    def time_limit(self) -> timedelta:
        return min(self.spec.ack_timeout, LONGEST)

    async def handle(self, envelope: Envelope) -> None:
        """One delivery: find the work done and repeat its answer, or do it; then answer, in this order: the outputs (by
        the handler), the manifest, the events. The bus acknowledges after that."""
        trace = tracing.continue_or_begin(envelope.traceparent)
        envelope = envelope.model_copy(update={"traceparent": str(trace)})
        structlog.contextvars.bind_contextvars(stage=self.spec.name, trace_id=trace.trace_id, span_id=trace.span_id)
        started = time.monotonic()
        outcome = "retried"
        try:
            outcome = await self._outcome(envelope)
        except asyncio.CancelledError:
            outcome = "interrupted"
            raise
        finally:
            took = time.monotonic() - started
            metrics.STAGE_ATTEMPTS.labels(self.spec.name, outcome).inc()
            metrics.STAGE_SECONDS.labels(self.spec.name, outcome).observe(took)
            log.info("stage_attempted", outcome=outcome, seconds=round(took, 3), attempt=envelope.attempt)

    async def _outcome(self, envelope: Envelope) -> str:
        event = envelope.data
        try:
            done = await manifest.find(self.store, event.video_id, self.spec.name, self._part(event).name)
            if done is not None:
                await self._publish(envelope, done)
                return "repeated"
            await self.stops.unless_stopped(envelope, self.spec.name, self._attempt(envelope))
        except Exception as error:
            if isinstance(error, Cancelled) and self.stops.knows(envelope, self.spec.name):
                log.info("work_dropped", reason=str(error))
                return "cancelled"
            return await self._give_up(envelope, error)
        return "done"

    async def _attempt(self, envelope: Envelope) -> None:
        event = cast(E, envelope.data)
        run_id = RunId(secrets.token_hex(8))
        structlog.contextvars.bind_contextvars(run_id=run_id)
        if envelope.attempt == 1 and envelope.outagesince is None:
            waited = max((datetime.now(UTC) - envelope.time).total_seconds(), 0.0)
            metrics.STAGE_WAIT_SECONDS.labels(self.spec.name).observe(waited)
        heartbeat = Heartbeat(self.bus, self._progress(envelope, run_id))
        async with heartbeat.beating(), self.scratch.directory(self.spec.name) as scratch:
            attempt = Attempt(
                run_id=run_id,
                attempt=envelope.attempt,
                store=self.store,
                scratch=scratch,
                heartbeat=heartbeat,
                threads=self.threads,
                caged=self.caged,
            )
            events = await self._answer(event, attempt)
            made = manifest.of(run_id, envelope.attempt, events)
            won = await manifest.commit(self.store, event.video_id, self.spec.name, made, self._part(event).name)
            if won.run_id != run_id:
                log.warning("run_lost", winner=won.run_id)
            await self._publish(envelope, won)

    async def _answer(self, event: E, attempt: Attempt) -> Sequence[Event]:
        """What the handler answers, in time and of the types it promised. An upload that cannot be used is an answer,
        too, where the stage may reject."""
        limit = asyncio.timeout(self.time_limit.total_seconds())
        try:
            async with limit:
                events = await self.spec.handler(event, attempt)
        except Rejected as reason:
            if ClipRejected not in self.spec.emits:
                raise
            events = [ClipRejected(video_id=event.video_id, stream_id=event.stream_id, reason=str(reason))]
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise Transient(f"The stage {self.spec.name} took longer than the {self.time_limit} it may.") from error
        finally:
            attempt.end()
        for answer in events:
            if type(answer) not in self.spec.emits:
                raise TypeError(
                    f"The stage {self.spec.name} answered with {answer.type}, which its spec does not name."
                )
        return events

    async def _publish(self, envelope: Envelope, made: Manifest) -> None:
        answers = [envelope.follow(event, stage=self.spec.name, index=i) for i, event in enumerate(made.events)]
        await asyncio.gather(*(self.bus.publish(answer) for answer in answers))

    async def _give_up(self, envelope: Envelope, error: Exception) -> str:
        """End with `clip.failed` where the policy says so; else raise, and the bus, by the same policy, tries again."""
        decision = self.policy.decide(
            error, attempt=envelope.attempt, outage_since=envelope.outagesince, now=datetime.now(UTC)
        )
        words = _words(error)
        if isinstance(decision, Again):
            started = self._progress(envelope, RunId(""))
            await self.bus.progress(started.model_copy(update={"state": "retrying", "note": words[:500]}))
            raise error
        event = envelope.data
        failed = ClipFailed(
            video_id=event.video_id,
            stream_id=event.stream_id,
            stage=self.spec.name,
            error=words,
            attempts=envelope.attempt,
        )
        log.error("stage_failed", reason=decision.reason, error=words, exc_info=error)
        await self.bus.publish(envelope.follow(failed, stage=self.spec.name, index=envelope.attempt))
        return "failed"

    def _part(self, event: Event) -> Part:
        return self.spec.part(cast(E, event)) if self.spec.part else _WHOLE

    def _progress(self, envelope: Envelope, run_id: RunId) -> ClipProgress:
        part = self._part(envelope.data)
        return ClipProgress(
            video_id=envelope.data.video_id,
            stream_id=envelope.data.stream_id,
            stage=self.spec.name,
            state="started",
            attempt=envelope.attempt,
            run_id=run_id,
            part=part.number,
            parts=part.count,
        )


def _words(error: Exception) -> str:
    """Our own errors are sentences; of others the name must be told, too."""
    if isinstance(error, ClipstreamError):
        return str(error)[:1000]
    return f"Something unforeseen went wrong: {type(error).__name__}: {error}"[:1000]
