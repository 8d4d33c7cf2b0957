"""The JSON documents one stage writes into the store and others read. They change like events: fields are only added."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from clipstream.common.contracts.media import MediaInfo


class Document(BaseModel):
    """Written once, read by anyone; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Probe(Document):
    """`processed-videos/{video_id}/probe.json`: what every later stage wants to know without opening the file.

    `keyframes` are presentation times of the shown picture's keyframes in ticks of `time_base` (numerator, denominator);
    `start_s` is where the first picture or sound lies on the file's own clock. `present` is the share of the samples that
    the file holds: below 1 it was cut off, and `media.duration_s` counts what is there.
    """

    format: Literal["probe.v1"] = "probe.v1"
    media: MediaInfo
    keyframes: tuple[int, ...] = ()
    time_base: tuple[int, int] = (1, 1)
    start_s: float = 0.0
    present: float = 1.0


class Word(Document):
    """One spoken word. Times in seconds on the clip's timeline, `probability` 0..1."""

    text: str
    start_s: float
    end_s: float
    probability: float


class Segment(Document):
    """A stretch of speech from one track, as the engine cut it."""

    id: int
    track: int
    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...] = ()
    mean_log_probability: float = 0.0
    no_speech_probability: float = 0.0
    compression_ratio: float = 0.0


class Dropped(Document):
    """Text the engine offered and the filter refused, with the reason."""

    start_s: float
    end_s: float
    text: str
    reason: str


class SpeechEngine(Document):
    """What transcribed. `kind` is `demo` for the small model that only knows synthesized phrases."""

    name: str
    version: str
    model: str
    kind: Literal["demo", "general"] = "general"


class Transcript(Document):
    """`transcripts/{video_id}.json`. No segments means that nothing was said; `note` says why where that is not obvious."""

    format: Literal["transcript.v1"] = "transcript.v1"
    video_id: UUID
    engine: SpeechEngine
    language: str | None = None
    language_probability: float | None = None
    duration_s: float
    tracks: tuple[int, ...] = ()
    segments: tuple[Segment, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    note: str | None = None


class FrameVector(Document):
    """One vector and the second of the picture it describes."""

    t: float
    vector: tuple[float, ...]


class Embeddings(Document):
    """`embeddings/{video_id}.json`. Vectors have unit length; only those of the same model and version compare."""

    format: Literal["embeddings.v1"] = "embeddings.v1"
    video_id: UUID
    model: str
    version: str
    dimension: int = Field(ge=1)
    frames: tuple[FrameVector, ...] = ()
