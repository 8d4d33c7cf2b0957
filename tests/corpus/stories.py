"""The life of one clip as its events tell it: a happy one, and every way it can go wrong."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID, uuid5

from clipstream.common.contracts import events, keys
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import Event, Stage
from clipstream.common.contracts.ids import NAMESPACE, EventId, RunId, StreamId, VideoId, upload_event_id
from fixtures.clips import MEDIA

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Story:
    """Events of one clip, each caused by the one before as the stages do it, a second apart."""

    def __init__(self, video_id: VideoId, stream_id: StreamId) -> None:
        self.video_id = video_id
        self.stream_id = stream_id
        self.told: list[Envelope] = []
        about = {"video_id": video_id, "stream_id": stream_id}
        key = keys.original(video_id, ".mp4")
        upload = events.UploadCompleted(**about, key=key, size_bytes=5, etag="e1")
        self.upload = self._tell(Envelope.first(upload, event_id=upload_event_id("b", key, "e1", 5), source="gateway"))
        self.ingested: Envelope | None = None
        self.unique: Envelope | None = None
        self.admitted: Envelope | None = None

    def _tell(self, envelope: Envelope) -> Envelope:
        told = envelope.model_copy(update={"time": BEGIN + timedelta(seconds=len(self.told))})
        self.told.append(told)
        return told

    def _answer(self, parent: Envelope, stage: str, event: Event) -> Envelope:
        return self._tell(parent.follow(event, stage=stage))

    @property
    def _about(self) -> dict[str, UUID]:
        return {"video_id": self.video_id, "stream_id": self.stream_id}

    def ingest(self) -> Envelope:
        probe = keys.probe(self.video_id)
        event = events.ClipIngested(
            **self._about, key=keys.original(self.video_id, ".mp4"), etag="e1", media=MEDIA, probe_key=probe
        )
        self.ingested = self._answer(self.upload, "ingest", event)
        return self.ingested

    def reject(self, reason: str = "This is a text file.") -> Envelope:
        return self._answer(self.upload, "ingest", events.ClipRejected(**self._about, reason=reason))

    def dedupe(self) -> Envelope:
        ingested = self.ingested or self.ingest()
        event = events.ClipUnique(**dict(ingested.data) | {"content_hash": "sha256:00", "packet_hash": "sha256:01"})
        self.unique = self._answer(ingested, "dedupe", event)
        return self.unique

    def preview(self, *, copied: bool = False) -> Envelope:
        event = events.ClipPreviewed(
            **self._about, thumbnail_key=keys.thumbnail(self.video_id), copied=copied, verdict="It is what it is."
        )
        return self._answer(self.ingested or self.ingest(), "preview", event)

    def playable(self, kind: Literal["copy", "rendition"] = "copy") -> Envelope:
        name = "master.m3u8" if kind == "copy" else "small.m3u8"
        event = events.ClipPlayable(**self._about, hls_key=keys.provisional(self.video_id, name), kind=kind)
        if kind == "copy":
            return self._answer(self.ingested or self.ingest(), "preview", event)
        return self._answer(self.admitted or self.admit(), "transcode", event)

    def admit(self) -> Envelope:
        """As the gateway does it: so that one which it has let in itself is the same."""
        unique = self.unique or self.dedupe()
        self.admitted = self._answer(unique, "gateway", events.ClipAdmitted.model_validate(dict(unique.data)))
        return self.admitted

    def copy_of(self, original: VideoId) -> Envelope:
        event = events.ClipDuplicate(**self._about, original_id=original, kind="remuxed", similarity=1.0)
        return self._answer(self.ingested or self.ingest(), "dedupe", event)

    def transcode(self, **more: object) -> Envelope:
        rendition = events.Rendition(name="480p", width=854, height=480, bandwidth=1, average_bandwidth=1)
        event = events.ClipTranscoded(
            **self._about,
            run_id=RunId("run"),
            hls_key=keys.processed(self.video_id, "master.m3u8"),
            thumbnail_key=keys.thumbnail(self.video_id),
            renditions=(rendition,),
            duration_s=29.5,
            **more,
        )
        return self._answer(self.admitted or self.admit(), "transcode", event)

    def transcribe(self, segments: int = 2) -> Envelope:
        event = events.ClipTranscribed(
            **self._about,
            key=keys.transcript(self.video_id),
            captions_key=keys.captions(self.video_id),
            segments=segments,
            model="m",
        )
        return self._answer(self.admitted or self.admit(), "stt", event)

    def embed(self) -> Envelope:
        event = events.ClipEmbedded(
            **self._about, key=keys.embeddings(self.video_id), count=3, dimension=8, model="m", version="1"
        )
        return self._answer(self.admitted or self.admit(), "embed", event)

    def caption(self, spoken: Envelope) -> Envelope:
        return self._answer(spoken, "captions", events.ClipCaptioned(**self._about, joined=True))

    def index(self, part: str, parent: Envelope) -> Envelope:
        event = events.ClipIndexed(**self._about, part=part, count=2)
        return self._answer(parent, f"search_{part}", event)

    def fail(self, stage: Stage, parent: Envelope, *, by: str = "runner", error: str | None = None) -> Envelope:
        event = events.ClipFailed(**self._about, stage=stage, error=error or f"{stage} broke", attempts=5)
        envelope = Envelope.first(event, event_id=EventId(uuid5(NAMESPACE, f"{parent.id}{stage}{by}")), source=stage)
        return self._tell(envelope.model_copy(update={"causationid": parent.id, "correlationid": parent.correlationid}))

    def finish(self, *, without: Sequence[Stage] = ()) -> Story:
        """Everything to the end; stages in `without` fail instead."""
        admitted = self.admitted or self.admit()
        if "transcode" in without:
            self.fail("transcode", admitted)
        else:
            self.transcode()
        self._branch("stt", "search_text", "text", without)
        self._branch("embed", "search_vectors", "vectors", without)
        return self

    def _branch(self, first: Stage, second: Stage, part: str, without: Sequence[Stage]) -> None:
        assert self.admitted is not None
        if first in without:
            self.fail(first, self.admitted)
            return
        made = self.transcribe() if first == "stt" else self.embed()
        if second in without:
            self.fail(second, made)
        else:
            self.index(part, made)
