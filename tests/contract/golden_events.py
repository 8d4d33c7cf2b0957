"""Writes golden files for events that have none yet; existing ones are left as they are."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from clipstream.common.contracts import events, keys
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.ids import EventId, RunId, StreamId, VideoId
from clipstream.common.contracts.media import AudioTrack, MediaInfo, VideoTrack

GOLDEN = Path(__file__).parent / "golden"
VIDEO = VideoId(UUID("5b0e3f6a-6c0d-4a51-9d6e-0a5d3f1c7e11"))
ORIGINAL = VideoId(UUID("0f9d4c7e-4f0b-4d0b-8a43-9d9c1d1b5a22"))
STREAM = StreamId(UUID("c6a1d5b2-3e5f-4d89-9a3a-2b7c8d9e0f33"))
RUN = RunId("3f9c2b7a1d5e8f04")
CAUSE = EventId(UUID("9f1c2d3e-4b5a-5c6d-8e7f-0a1b2c3d4e44"))
BEGIN = EventId(UUID("1a2b3c4d-5e6f-5a7b-8c9d-0e1f2a3b4c55"))
MEDIA = MediaInfo(
    container="mov,mp4,m4a,3gp,3g2,mj2",
    duration_s=30.016,
    size_bytes=48_031_744,
    bit_rate=12_801_630,
    video=VideoTrack(
        index=0,
        codec="h264",
        profile="High",
        pixel_format="yuv420p",
        width=1920,
        height=1080,
        frame_rate=60.0,
        color_transfer="bt709",
        color_primaries="bt709",
        color_space="bt709",
        color_range="tv",
    ),
    audio=(
        AudioTrack(index=1, codec="aac", sample_rate=48_000, channels=2, title="Game", language="eng"),
        AudioTrack(index=2, codec="aac", sample_rate=48_000, channels=1, title="Microphone", start_s=0.021),
    ),
)
KEY = keys.original(VIDEO, ".mp4")
ETAG = "9b2cf535f27731c974343645a3985328-6"
OF = {"video_id": VIDEO, "stream_id": STREAM}

EXAMPLES: tuple[events.Event, ...] = (
    events.UploadCompleted(**OF, key=KEY, size_bytes=48_031_744, etag=ETAG, announced_by="bucket"),
    events.ClipIngested(
        **OF, key=KEY, etag=ETAG, media=MEDIA, probe_key=keys.probe(VIDEO), content_hash="sha256:" + "1f" * 32
    ),
    events.ClipRejected(**OF, reason="The file is empty."),
    events.ClipUnique(
        **OF,
        key=KEY,
        etag=ETAG,
        media=MEDIA,
        probe_key=keys.probe(VIDEO),
        content_hash="sha256:" + "1f" * 32,
        packet_hash="sha256:" + "2e" * 32,
    ),
    events.ClipAdmitted(
        **OF,
        key=KEY,
        etag=ETAG,
        media=MEDIA,
        probe_key=keys.probe(VIDEO),
        content_hash="sha256:" + "1f" * 32,
        packet_hash="sha256:" + "2e" * 32,
    ),
    events.ClipPreviewed(
        **OF, thumbnail_key=keys.thumbnail(VIDEO), copied=True, verdict="The source can be played as it is."
    ),
    events.ClipPlayable(**OF, hls_key=keys.provisional(VIDEO, "master.m3u8"), kind="copy"),
    events.PartPlanned(**OF, plan="0a1b2c3d4e5f", part=0, parts=2),
    events.LongPartPlanned(**OF, plan="0a1b2c3d4e5f", part=7, parts=24),
    events.ClipCaptioned(**OF, joined=True),
    events.ClipDuplicate(**OF, original_id=ORIGINAL, kind="remuxed", similarity=1.0),
    events.ClipTranscoded(
        **OF,
        run_id=RUN,
        hls_key=keys.processed(VIDEO, "master.m3u8"),
        thumbnail_key=keys.thumbnail(VIDEO),
        renditions=(
            events.Rendition(name="480p", width=854, height=480, bandwidth=1_608_000, average_bandwidth=1_201_000),
            events.Rendition(name="720p", width=1280, height=720, bandwidth=3_310_000, average_bandwidth=2_730_000),
        ),
        duration_s=30.016,
    ),
    events.ClipTranscribed(
        **OF,
        key=keys.transcript(VIDEO),
        captions_key=keys.captions(VIDEO),
        segments=7,
        language="en",
        model="clipstream-demo-whisper",
        model_kind="demo",
    ),
    events.ClipEmbedded(
        **OF, key=keys.embeddings(VIDEO), count=30, dimension=512, model="frame-descriptor", version="1"
    ),
    events.ClipIndexed(**OF, part="vectors", count=30),
    events.ClipReady(**OF),
    events.ClipFailed(**OF, stage="stt", error="The decoder ran out of memory.", attempts=5),
    events.ClipDeleted(**OF),
    events.ClipProgress(**OF, stage="transcode", state="running", fraction=0.42, attempt=2, run_id=RUN, note="720p"),
)


def write(event: events.Event) -> None:
    envelope = Envelope(
        id=CAUSE,
        type=event.type,
        source="/clipstream/example",
        subject=str(VIDEO),
        time=datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=UTC),
        correlationid=BEGIN,
        causationid=BEGIN,
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        attempt=2,
        outagesince=datetime(2026, 11, 21, 12, 0, 5, tzinfo=UTC),
        data=event,
    )
    path = GOLDEN / f"{event.type}.json"
    if not path.exists():
        path.write_text(json.dumps(json.loads(envelope.to_bytes()), indent=2) + "\n")
        sys.stdout.write(f"{path.name} written\n")


if __name__ == "__main__":
    for example in EXAMPLES:
        write(example)
