"""What an operator says about a clip: facts beside those that stages tell. Pure, like the fold; interventions.py carries
them into the database, one after the other, under the clip's lock.

Events and amendments meet in any order with the same end: an amendment never removes what a stage told, but for the failures
of a try that it takes back, and those are known by the event that caused them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipAdmitted, ClipUnique, Stage
from clipstream.common.contracts.ids import derived_event_id
from clipstream.gateway.clip import ADMITTED, STAGES, Clip, first
from clipstream.gateway.projection import derive

CANCELLED = "Cancelled by an operator."
OPTIONAL: tuple[Stage, ...] = ("preview", "stt", "embed", "captions", "search_text", "search_vectors")


def retryable(clip: Clip) -> tuple[Stage, ...]:
    """Stages that failed, and of a cancelled clip those that were still to do; only such as have something to work on. A
    file that was rejected is never looked at again."""
    if clip.rejection is not None:
        return ()
    return tuple(
        stage
        for stage in STAGES
        if (row := clip.stages[stage]).trigger is not None
        and row.done_at is None
        and row.skipped_at is None
        and (row.failed_at is not None or clip.cancelled is not None)
    )


def retry(clip: Clip, stage: Stage, at: datetime, *, held: bool = False) -> Envelope | None:
    """Take the end of a stage back. What it works on from now on, as a new event; None where there is nothing yet. A stage
    that is `held` gets it when the clip's turn comes."""
    row = clip.stages[stage]
    row.skipped_at = None
    if row.trigger is None:
        derive(clip)
        return None
    row.retries += 1
    again = _again(Envelope.model_validate(row.trigger), stage, row.retries, at)
    row.trigger = again.model_dump(mode="json")
    row.failed_at, row.error, row.attempts, row.state, row.held = None, None, 0, "queued", held
    derive(clip)
    return again


def _again(trigger: Envelope, stage: Stage, retries: int, at: datetime) -> Envelope:
    """The same words under a new id, at the beginning of a chain of its own: orders to stop the old one do not concern it."""
    event_id = derived_event_id(trigger.id, f"retry/{stage}", trigger.type, retries)
    links = {"id": event_id, "correlationid": event_id, "causationid": trigger.id}
    anew = {"source": "/clipstream/gateway", "time": at, "attempt": 1, "outagesince": None}
    return trigger.model_copy(update=links | anew)


def cancel(clip: Clip) -> None:
    """The clip has failed, whatever is still told about it."""
    clip.cancelled = CANCELLED
    derive(clip)


def resume(clip: Clip) -> None:
    """The opposite."""
    clip.cancelled = None
    derive(clip)


def admit(clip: Clip) -> tuple[Envelope | None, Mapping[Stage, Envelope]]:
    """Its turn has come: what the world is to hear, where it is the first time; and what stages get that are begun anew."""
    anew: dict[Stage, Envelope] = {}
    for stage in ADMITTED:
        row = clip.stages[stage]
        if row.held and row.pending and row.trigger is not None:
            anew[stage] = Envelope.model_validate(row.trigger)
        row.held = False
    derive(clip)
    if clip.admitted_at is not None or clip.uniqueness is None:
        return None, anew
    unique = Envelope.model_validate(clip.uniqueness)
    return unique.follow(ClipAdmitted.model_validate(unique.data.model_dump()), stage="gateway"), anew


def skip(clip: Clip, stage: Stage, at: datetime) -> None:
    """The clip does without this part. Where it is made after all, it counts."""
    row = clip.stages[stage]
    row.skipped_at = first(row.skipped_at, at)
    row.waived_at = first(row.waived_at, at)
    derive(clip)


def dismiss(clip: Clip, at: datetime) -> Envelope | None:
    """It is no duplicate: what dedupe would have said then. None where the event that dedupe worked on is not known."""
    trigger = clip.stages["dedupe"].trigger
    if trigger is None:
        return None
    clip.dismissed_at = first(clip.dismissed_at, at)
    derive(clip)
    ingested = Envelope.model_validate(trigger)
    facts = ingested.data.model_dump()
    # What dedupe computed of a duplicate is its own; nobody after it reads the hashes.
    facts |= {"content_hash": facts["content_hash"] or "", "packet_hash": ""}
    made = ingested.follow(ClipUnique.model_validate(facts), stage="dismissed")
    return made.model_copy(update={"source": "/clipstream/gateway", "time": at})
