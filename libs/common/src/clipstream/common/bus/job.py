"""From a delivery to something that can be run, repeated and given up: one opener for each kind of message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import TypeAlias

import structlog
from pydantic import ValidationError

from clipstream.common.bus.parcel import ATTEMPT, DEAD_ERROR, DEAD_REASON, OUTAGE_SINCE, Delivery, Parcel
from clipstream.common.bus.port import DeadLetter, DeadLetterHandler, EnvelopeHandler, StorageHandler
from clipstream.common.bus.retry import Again
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import Event
from clipstream.common.errors import Permanent

log = structlog.get_logger()


class Malformed(Permanent):
    """The message cannot be read."""


@dataclass(frozen=True)
class Job:
    """One message, understood. `id` is the same for every copy of it, however often it is delivered or retried."""

    id: str
    run: Callable[[], Awaitable[None]]
    again: Callable[[Again, datetime], Parcel]
    attempt: int = 1
    outage_since: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def try_id(self) -> str:
        """Names this very try: the next attempt is another one."""
        return f"{self.id}/{self.attempt}/{self.outage_since}"


Opener: TypeAlias = Callable[[Delivery], Job]


def envelopes(types: Sequence[type[Event]], handler: EnvelopeHandler) -> Opener:
    """Messages that are events of these types."""
    known = {event.type for event in types}

    def read(delivery: Delivery) -> Job:
        envelope = _envelope(delivery.body)
        if envelope.type not in known:
            raise Malformed(f"{envelope.type} does not belong in this queue.")

        def again(decision: Again, now: datetime) -> Parcel:
            return Parcel.of(envelope.during_outage(now) if decision.outage else envelope.next_attempt())

        return Job(
            id=str(envelope.id),
            run=lambda: handler(envelope),
            again=again,
            attempt=envelope.attempt,
            outage_since=envelope.outagesince,
            labels={"event_id": str(envelope.id), "event_type": envelope.type, "video_id": envelope.subject},
        )

    return read


def notifications(handler: StorageHandler) -> Opener:
    """Messages of an object store: bodies of its own kind, so that our counters travel in headers."""

    def read(delivery: Delivery) -> Job:
        headers = {name: value for name, value in delivery.headers.items() if not name.startswith("x-")}
        attempt, since = _counters(headers)
        digest = sha256(delivery.body).hexdigest()

        def again(decision: Again, now: datetime) -> Parcel:
            kept = {name: value for name, value in headers.items() if name not in (ATTEMPT, OUTAGE_SINCE)}
            kept[ATTEMPT] = str(attempt if decision.outage else attempt + 1)
            if decision.outage:
                kept[OUTAGE_SINCE] = (since or now).isoformat()
            return Parcel(body=delivery.body, message_id=delivery.message_id or digest[:32], headers=kept)

        return Job(
            id=digest,
            run=lambda: handler(delivery.body, headers),
            again=again,
            attempt=attempt,
            outage_since=since,
        )

    return read


def dead_letters(handler: DeadLetterHandler, *, patience_s: Sequence[float] = (1, 5, 15, 30)) -> Opener:
    """Messages that died. There is nowhere further to send one, so it is held until its handler has dealt with it."""

    def read(delivery: Delivery) -> Job:
        letter = _dead_letter(delivery)

        async def run() -> None:
            for failures in range(1_000_000_000):
                try:
                    return await handler(letter)
                except Permanent as error:
                    log.error("dead_letter_dropped", queue=letter.queue, error=str(error), body=letter.body[:4096])
                    return None
                except Exception:
                    log.exception("dead_letter_kept", queue=letter.queue, reason=letter.reason)
                    await asyncio.sleep(patience_s[min(failures, len(patience_s) - 1)])
            return None

        def again(_decision: Again, _now: datetime) -> Parcel:
            return Parcel(body=delivery.body, message_id=delivery.message_id, headers=delivery.headers)

        digest = sha256(delivery.body).hexdigest()
        return Job(id=f"{letter.queue}/{delivery.message_id or digest}", run=run, again=again)

    return read


def obituary(delivery: Delivery, reason: str, error: str) -> Parcel:
    """The dead letter made of a delivery: its body as it came, and why it was given up."""
    headers = {name: value for name, value in delivery.headers.items() if not name.startswith("x-")}
    headers |= {DEAD_REASON: reason, DEAD_ERROR: error[:2000]}
    return Parcel(body=delivery.body, message_id=delivery.message_id, headers=headers)


def _dead_letter(delivery: Delivery) -> DeadLetter:
    reason = delivery.headers.get(DEAD_REASON) or delivery.death or "unknown"
    error = delivery.headers.get(DEAD_ERROR) or f"The broker gave the message up: {reason.replace('_', ' ')}."
    try:
        envelope = _envelope(delivery.body)
    except Malformed:
        envelope = None
    return DeadLetter(delivery.routing_key, reason, error, envelope, delivery.body, delivery.headers)


def _envelope(body: bytes) -> Envelope:
    try:
        return Envelope.from_bytes(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise Malformed(f"The message is no event of ours: {where}: {first['msg']}.") from error


def _counters(headers: Mapping[str, str]) -> tuple[int, datetime | None]:
    """Attempt and beginning of the outage; a header that makes no sense counts as absent, others may have written it."""
    attempt = headers.get(ATTEMPT, "1")
    try:
        since = datetime.fromisoformat(headers[OUTAGE_SINCE]).astimezone(UTC)
    except (KeyError, ValueError):
        since = None
    return (int(attempt) if attempt.isdecimal() and int(attempt) > 0 else 1), since
