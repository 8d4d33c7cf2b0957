"""Messages that nobody will try again by themselves: kept for the operator, and their clip's stage ended in words, so
that no clip waits for work that will never be done."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID, uuid5

import structlog
from asyncpg import Connection, Pool

from clipstream.common.bus.port import DeadLetter
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipAdmitted, ClipFailed, ClipUnique, Stage
from clipstream.common.contracts.ids import NAMESPACE, derived_event_id
from clipstream.common.db import outbox
from clipstream.common.db.errors import map_database_errors
from clipstream.gateway.clip import ADMITTED, LANES, STAGES
from clipstream.gateway.repository import dead_letters

log = structlog.get_logger(__name__)

STAGE_OF_QUEUE: Mapping[str, Stage] = {queue: stage for stage in STAGES for queue in (stage, *LANES.get(stage, ()))}
"""Other queues may begin with a stage's name and hold no work of it: `dedupe.deletions`."""
_WORDS: Mapping[str, str] = {
    "delivery_limit": "The {stage} worker crashed every time it worked on this clip.",
    "malformed": "The {stage} worker was sent something it could not read.",
    "outage": "A server that the stage {stage} needs stayed away for too long.",
}


class DeadLetters:
    """The end of every message that died."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def handle(self, letter: DeadLetter) -> None:
        """Store the letter; where it was a stage's work, that stage has failed. Once, however often it comes."""
        envelope = letter.envelope
        with map_database_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                await dead_letters.add(
                    connection,
                    _letter_id(letter),
                    queue=letter.queue,
                    reason=letter.reason,
                    event_id=envelope.id if envelope else None,
                    video_id=envelope.data.video_id if envelope else None,
                    body=letter.body,
                    headers={name: str(value).replace("\0", "") for name, value in letter.headers.items()},
                )
                stage = STAGE_OF_QUEUE.get(letter.queue)
                if envelope is not None and stage is not None:
                    await _follow_up(connection, letter, envelope, stage)
        log.error("dead_letter_stored", queue=letter.queue, reason=letter.reason, error=letter.error)


async def _follow_up(connection: Connection, letter: DeadLetter, envelope: Envelope, stage: Stage) -> None:
    """The stage has failed; but work that was waiting when this version was installed goes on under its new name."""
    if stage in ADMITTED and isinstance(envelope.data, ClipUnique):
        event = ClipAdmitted.model_validate(envelope.data.model_dump())
        anew = envelope.model_copy(update={"type": event.type, "data": event})
        await outbox.add(connection, anew, queue=letter.queue)
    else:
        await outbox.add(connection, _failure(letter, envelope, stage))


def _letter_id(letter: DeadLetter) -> UUID:
    return uuid5(NAMESPACE, b"\0".join((b"dead letter", letter.queue.encode(), letter.body)).hex())


def _failure(letter: DeadLetter, envelope: Envelope, stage: Stage) -> Envelope:
    event = ClipFailed(
        video_id=envelope.data.video_id,
        stream_id=envelope.data.stream_id,
        stage=stage,
        error=_WORDS[letter.reason].format(stage=stage) if letter.reason in _WORDS else letter.error,
        attempts=envelope.attempt,
    )
    event_id = derived_event_id(envelope.id, f"dead/{stage}", event.type, envelope.attempt)
    made = Envelope.first(event, event_id=event_id, source="gateway", traceparent=envelope.traceparent)
    return made.model_copy(update={"correlationid": envelope.correlationid, "causationid": envelope.id})
