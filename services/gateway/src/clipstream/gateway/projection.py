"""What a clip's events mean: a pure fold from events to the read model, and the join of the parallel stages.

Events come late, twice and in any order. So each one only records a fact, and everything shown (status, processing
index, what is skipped, when it was ready) is derived from the facts afterwards: the same set of events gives the same
rows, whatever their order. Being ready never ends, because its condition only ever gains facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from clipstream.common.contracts import events
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import Stage
from clipstream.gateway.clip import (
    ADMITTED,
    AFTER,
    ESSENTIAL,
    STAGES,
    Clip,
    Leftover,
    StageRow,
    StageStatus,
    Status,
    Turn,
    first,
)


def fold(clip: Clip, envelope: Envelope) -> bool:
    """Take one event into `clip`. True where this very event made it ready."""
    record = _RECORDERS.get(envelope.type)
    if record is None:
        return False
    was_ready = clip.status == "ready"
    record(clip, envelope, envelope.data)
    derive(clip)
    return clip.status == "ready" and not was_ready


# --- facts ------------------------------------------------------------------------------------------------------------


def _uploaded(clip: Clip, envelope: Envelope, event: events.UploadCompleted) -> None:
    clip.uploaded_at = first(clip.uploaded_at, envelope.time)
    _trigger(clip, envelope, "ingest")


def _ingested(clip: Clip, envelope: Envelope, event: events.ClipIngested) -> None:
    clip.media = event.media.model_dump(mode="json")
    clip.content_hash = clip.content_hash or event.content_hash
    _done(clip, envelope, "ingest")
    _trigger(clip, envelope, "preview")
    _trigger(clip, envelope, "dedupe")


def _rejected(clip: Clip, envelope: Envelope, event: events.ClipRejected) -> None:
    clip.rejection = min(clip.rejection or event.reason, event.reason)
    _failed(clip, envelope, "ingest", event.reason, 1, final=True)


def _unique(clip: Clip, envelope: Envelope, event: events.ClipUnique) -> None:
    clip.content_hash = clip.content_hash or event.content_hash
    if clip.uniqueness is None or _age(clip.uniqueness) < (envelope.time, str(envelope.id)):
        clip.uniqueness = envelope.model_dump(mode="json")
    _done(clip, envelope, "dedupe")


def _admitted(clip: Clip, envelope: Envelope, event: events.ClipAdmitted) -> None:
    clip.admitted_at = first(clip.admitted_at, envelope.time)
    for stage in ADMITTED:
        _trigger(clip, envelope, stage)


def _duplicate(clip: Clip, envelope: Envelope, event: events.ClipDuplicate) -> None:
    clip.duplicate = event.model_dump(mode="json", include={"original_id", "kind", "similarity"})
    _done(clip, envelope, "dedupe")


def _previewed(clip: Clip, envelope: Envelope, event: events.ClipPreviewed) -> None:
    clip.preview = event.model_dump(mode="json", exclude={"video_id", "stream_id"})
    _done(clip, envelope, "preview")


def _playable(clip: Clip, envelope: Envelope, event: events.ClipPlayable) -> None:
    """The source as it is beats a small rendition of it. The preview stage may have made that, and no poster."""
    if envelope.source == "/clipstream/preview":
        _done(clip, envelope, "preview")
    at = envelope.time.isoformat()
    told = {"hls_key": str(event.hls_key), "kind": event.kind, "at": at}
    known = clip.playable or told
    best = min(known, told, key=lambda each: (each["kind"] != "copy", each["hls_key"]))
    clip.playable = {**best, "at": min(known.get("at", at), at, key=datetime.fromisoformat)}


def _transcoded(clip: Clip, envelope: Envelope, event: events.ClipTranscoded) -> None:
    clip.playback = event.model_dump(mode="json", exclude={"video_id", "stream_id"})
    _done(clip, envelope, "transcode")


def _transcribed(clip: Clip, envelope: Envelope, event: events.ClipTranscribed) -> None:
    clip.transcript = event.model_dump(mode="json", exclude={"video_id", "stream_id"})
    _done(clip, envelope, "stt")
    _trigger(clip, envelope, "captions")
    _trigger(clip, envelope, "search_text")


def _captioned(clip: Clip, envelope: Envelope, event: events.ClipCaptioned) -> None:
    _done(clip, envelope, "captions")


def _embedded(clip: Clip, envelope: Envelope, event: events.ClipEmbedded) -> None:
    clip.embedding = event.model_dump(mode="json", exclude={"video_id", "stream_id"})
    _done(clip, envelope, "embed")
    _trigger(clip, envelope, "search_vectors")


def _indexed(clip: Clip, envelope: Envelope, event: events.ClipIndexed) -> None:
    _done(clip, envelope, "search_text" if event.part == "text" else "search_vectors")


def _gave_up(clip: Clip, envelope: Envelope, event: events.ClipFailed) -> None:
    _failed(clip, envelope, event.stage, event.error, event.attempts)


_RECORDERS: Mapping[str, Callable[[Clip, Envelope, Any], None]] = {
    events.UploadCompleted.type: _uploaded,
    events.ClipIngested.type: _ingested,
    events.ClipRejected.type: _rejected,
    events.ClipPreviewed.type: _previewed,
    events.ClipPlayable.type: _playable,
    events.ClipUnique.type: _unique,
    events.ClipAdmitted.type: _admitted,
    events.ClipDuplicate.type: _duplicate,
    events.ClipTranscoded.type: _transcoded,
    events.ClipTranscribed.type: _transcribed,
    events.ClipCaptioned.type: _captioned,
    events.ClipEmbedded.type: _embedded,
    events.ClipIndexed.type: _indexed,
    events.ClipFailed.type: _gave_up,
}


def _done(clip: Clip, envelope: Envelope, stage: Stage) -> None:
    row = clip.stages[stage]
    row.done_at = first(row.done_at, envelope.time)
    row.attempts = max(row.attempts, 1)


def _failed(clip: Clip, envelope: Envelope, stage: Stage, error: str, attempts: int, *, final: bool = False) -> None:
    """The earliest failure is the one shown; equal times are told apart by their words, so that order cannot matter. One
    of a try before the newest, which an operator has taken back, only says that the clip does not wait: each try is a
    chain of its own, and whatever part of its work fails is part of that chain."""
    row = clip.stages[stage]
    row.waived_at = first(row.waived_at, envelope.time)
    if row.retries and not final and str(envelope.correlationid) != (row.trigger or {}).get("correlationid"):
        return
    row.attempts = max(row.attempts, attempts)
    known = (row.failed_at, row.error or "") if row.failed_at is not None else None
    row.failed_at, row.error = min(known, (envelope.time, error)) if known is not None else (envelope.time, error)


def _trigger(clip: Clip, envelope: Envelope, stage: Stage) -> None:
    """The newest event that asks for the stage. One that an operator sent stays."""
    row = clip.stages[stage]
    if row.retries == 0 and (row.trigger is None or _age(row.trigger) < (envelope.time, str(envelope.id))):
        row.trigger = envelope.model_dump(mode="json")


def _age(trigger: Mapping[str, Any]) -> tuple[datetime, str]:
    return datetime.fromisoformat(trigger["time"]), trigger["id"]


# --- what follows from them -------------------------------------------------------------------------------------------


def derive(clip: Clip) -> None:
    """Everything shown, from the facts."""
    stages = clip.stages
    clip.playable_at = first(clip.playable_at, clip.early_at, stages["transcode"].done_at)
    clip.duration_s = (clip.playback or {}).get("duration_s") or (clip.media or {}).get("duration_s")
    joined = joined_at(stages)
    clip.stored_bytes = (clip.playback or {}).get("stored_bytes", 0)
    clip.ready_at = first(clip.ready_at, joined)
    failed = (s for s in ESSENTIAL if stages[s].failed_at and not stages[s].done_at)
    clip.failed_stage = None if clip.cancelled is not None else next(failed, None)
    clip.status = _status(clip, joined is not None)
    clip.error = _error(clip)
    clip.processing_index = _processing_index(clip)
    ended = _ended(clip)
    for stage, row in stages.items():
        row.state = _stage_state(row, stage in ended)
        if row.state in ("done", "skipped"):
            row.error = None
    clip.turn = _turn(clip)
    clip.leftover = _leftover(clip)


def joined_at(stages: Mapping[Stage, StageRow]) -> datetime | None:
    """When everything that could be made was made. A part that failed or was skipped is not waited for."""
    parts = (
        stages["transcode"].done_at,
        first(stages["stt"].waived_at, _last(stages["stt"].done_at, stages["search_text"].settled_at)),
        first(stages["embed"].waived_at, _last(stages["embed"].done_at, stages["search_vectors"].settled_at)),
    )
    return _last(*parts)


def _status(clip: Clip, joined: bool) -> Status:
    if clip.cancelled is not None:
        return "failed"
    if clip.rejection is not None:
        return "rejected"
    if clip.duplicate is not None and clip.dismissed_at is None:
        return "duplicate"
    if joined:
        return "ready"
    if clip.failed_stage is not None:
        return "failed"
    known = clip.uploaded_at is not None or any(row.settled_at or row.trigger for row in clip.stages.values())
    return "processing" if known else "uploading"


def _error(clip: Clip) -> str | None:
    if clip.cancelled is not None:
        return clip.cancelled
    if clip.status == "rejected":
        return clip.rejection
    if clip.status == "failed" and clip.failed_stage is not None:
        return clip.stages[clip.failed_stage].error
    return None


def _processing_index(clip: Clip) -> int:
    """1 duplicate detection, 2 transcoding, 3 speech to text, 4 AI analysis, 0 complete, -1 duplicate: the lowest unfinished."""
    if clip.status == "duplicate":
        return -1
    if clip.status == "ready":
        return 0
    if clip.stages["dedupe"].done_at is None:
        return 1
    if clip.stages["transcode"].done_at is None:
        return 2
    return 3 if clip.stages["stt"].settled_at is None else 4


def _ended(clip: Clip) -> set[Stage]:
    """Stages that will never run, because what they work on will never be made or nobody wants it."""
    if clip.cancelled is not None:
        return set(STAGES)
    ended: set[Stage] = {"ingest", *AFTER["ingest"]} if clip.rejection is not None else set()
    if clip.duplicate is not None and clip.dismissed_at is None:
        ended.update(AFTER["dedupe"])
    for stage, later in AFTER.items():
        if clip.stages[stage].given_up:
            ended.update(later)
    return ended


def _stage_state(row: StageRow, ended: bool) -> StageStatus:
    if row.done_at is not None:
        return "done"
    if row.skipped_at is not None:
        return "skipped"
    if row.failed_at is not None:
        return "failed"
    if ended:
        return "skipped"
    return "running" if row.state == "running" else "queued"


def _turn(clip: Clip) -> Turn | None:
    rows = clip.stages
    if any(rows[stage].held and rows[stage].pending for stage in ADMITTED):
        return "waits"
    if not rows["transcode"].pending:
        return None
    if clip.admitted_at is not None:
        return "works"
    return None if clip.uniqueness is None else "waits"


def _leftover(clip: Clip) -> Leftover | None:
    if clip.playback is not None:
        return "replaced"
    if clip.status in ("duplicate", "rejected"):
        return "unwanted"
    return "ended" if clip.status == "failed" else None


def _last(*times: datetime | None) -> datetime | None:
    """The last of all, or None while one is missing."""
    known = [time for time in times if time is not None]
    return max(known) if len(known) == len(times) else None
