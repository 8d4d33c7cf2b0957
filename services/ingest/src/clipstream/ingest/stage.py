"""Joins the probe to events and object keys. Looking into the file is processor.py's work, in a caged child."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from pydantic import ByteSize

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import ClipIngested, ClipRejected, UploadCompleted
from clipstream.common.errors import NotFound, Outage, Rejected, Transient
from clipstream.common.stage.context import Limits, StageContext
from clipstream.common.stage.spec import StageSpec
from clipstream.ingest.processor import Bounds, probe

PROBE_LIMITS = Limits(
    wall=timedelta(minutes=5), cpu=timedelta(minutes=2), memory_bytes=2 << 30, file_bytes=1 << 20, open_files=64
)
CRASHES = 3
"""Attempts after which a file that no probe survives is the file's fault, not the machine's."""


def build(bounds: Bounds, max_upload_size: ByteSize) -> StageSpec[UploadCompleted]:
    """The stage that says what an upload is. What cannot be used is raised as `Rejected`: the runner answers with it."""

    async def handle(event: UploadCompleted, context: StageContext) -> Sequence[ClipIngested]:
        try:
            stored = await context.store.head(event.key)
        except NotFound as error:
            raise Rejected("The uploaded file is gone. Upload it again.") from error
        if stored.size_bytes > max_upload_size:
            raise Rejected(
                f"The file is too large: {_megabytes(stored.size_bytes)}. At most {_megabytes(max_upload_size)} are allowed."
            )
        try:
            found = await context.isolate(probe, source=event.key, limits=PROBE_LIMITS, bounds=bounds)
        except Outage:
            raise
        except Transient as error:
            if context.attempt < CRASHES:
                raise
            raise Rejected("This file could not be read safely, at several tries. It is probably damaged.") from error
        probe_key = keys.probe(event.video_id)
        await context.store.put(probe_key, found.model_dump_json().encode(), content_type="application/json")
        return [
            ClipIngested(
                video_id=event.video_id,
                stream_id=event.stream_id,
                key=event.key,
                etag=stored.etag,
                media=found.media,
                probe_key=probe_key,
                content_hash=f"sha256:{stored.sha256}" if stored.sha256 else None,
            )
        ]

    return StageSpec(
        name="ingest",
        consumes=UploadCompleted,
        emits=(ClipIngested, ClipRejected),
        handler=handle,
        ack_timeout=timedelta(minutes=15),
    )


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000_000:.3g} GB" if size >= 1_000_000_000 else f"{size / 1_000_000:.3g} MB"
