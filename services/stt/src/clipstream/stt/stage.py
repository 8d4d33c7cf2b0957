"""Joins speech to text to events and object keys. The model lives in processor.py, decoding in audio.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np

from clipstream.common.contracts import keys
from clipstream.common.contracts.documents import Transcript
from clipstream.common.contracts.events import ClipAdmitted, ClipTranscribed
from clipstream.common.contracts.ids import VideoId
from clipstream.common.stage.context import StageContext
from clipstream.common.stage.spec import StageSpec
from clipstream.stt.audio import ExtractedTrack, extract, voice_tracks
from clipstream.stt.captions import to_webvtt
from clipstream.stt.processor import Samples, Transcriber, Transcription

DECODING_SHARE = 0.1  # of the progress bar


def build(load: Callable[[], Transcriber], *, time_limit: timedelta) -> StageSpec[ClipAdmitted]:
    """`load` gives the engine, loaded on first use and kept; it raises `Permanent` where the model cannot be had."""

    async def handle(event: ClipAdmitted, context: StageContext) -> Sequence[ClipTranscribed]:
        transcriber = await context.thread(load)
        wanted = [track.index for track in voice_tracks(event.media.audio)]
        extracted: list[ExtractedTrack] = []
        if wanted:
            extracted = await context.isolate(extract, source=event.key, tracks=wanted, out=context.scratch)
        context.progress(DECODING_SHARE)
        heard = [await _hear(transcriber, track, context, i, len(extracted)) for i, track in enumerate(extracted)]
        transcript = _merge(event, transcriber, wanted, heard)
        await _store(context, transcript)
        return [
            ClipTranscribed(
                video_id=event.video_id,
                stream_id=event.stream_id,
                key=keys.transcript(event.video_id),
                captions_key=keys.captions(event.video_id),
                segments=len(transcript.segments),
                language=transcript.language,
                model=transcript.engine.model,
                model_kind=transcript.engine.kind,
            )
        ]

    return StageSpec(
        name="stt", consumes=ClipAdmitted, emits=(ClipTranscribed,), handler=handle, ack_timeout=time_limit
    )


async def _hear(
    transcriber: Transcriber, track: ExtractedTrack, context: StageContext, number: int, of: int
) -> Transcription:
    samples = await asyncio.to_thread(_read, context.scratch / track.file)

    def progress(fraction: float) -> None:
        context.progress(DECODING_SHARE + (1 - DECODING_SHARE) * (number + fraction) / of)

    return await context.thread(transcriber.transcribe, samples, track=track.track, progress=progress)


def _read(path: Path) -> Samples:
    return np.fromfile(path, dtype=np.float32)


def _merge(event: ClipAdmitted, transcriber: Transcriber, tracks: list[int], heard: list[Transcription]) -> Transcript:
    segments = sorted((segment for part in heard for segment in part.segments), key=lambda s: (s.start_s, s.track))
    spoken = max(heard, key=lambda part: len(part.segments), default=None)
    return Transcript(
        video_id=event.video_id,
        engine=transcriber.engine,
        language=spoken.language if spoken else None,
        language_probability=spoken.language_probability if spoken else None,
        duration_s=event.media.duration_s,
        tracks=tuple(tracks),
        segments=tuple(segment.model_copy(update={"id": number}) for number, segment in enumerate(segments)),
        dropped=tuple(sorted((d for part in heard for d in part.dropped), key=lambda d: d.start_s)),
        note=None if tracks else "The clip has no sound.",
    )


async def _store(context: StageContext, transcript: Transcript) -> None:
    video_id = VideoId(transcript.video_id)
    captions = to_webvtt(transcript.segments).encode()
    await context.store.put(keys.captions(video_id), captions, content_type="text/vtt")
    await context.store.put(
        keys.transcript(video_id), transcript.model_dump_json().encode(), content_type="application/json"
    )
