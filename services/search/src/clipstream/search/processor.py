"""What is indexed of a clip, and how found vectors become similar clips. Pure: documents and arrays in, values out."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

import numpy as np

from clipstream.common.contracts.documents import Embeddings, Transcript
from clipstream.common.contracts.ids import NAMESPACE

MAX_QUERY_VECTORS = 24
PHRASE_WORDS = 8
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
HEADLINE_START, HEADLINE_END = "\ue000", "\ue001"  # private-use characters that no transcript holds


@dataclass(frozen=True, slots=True)
class SpokenRow:
    """One searchable segment."""

    number: int
    track: int
    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class FramePoint:
    """One vector with its second."""

    id: UUID
    vector: tuple[float, ...]
    t: float


@dataclass(frozen=True, slots=True)
class SimilarVideo:
    """`similarity` is the mean over sampled moments of the best cosine found, 0..1."""

    video_id: UUID
    similarity: float


def spoken_rows(transcript: Transcript) -> list[SpokenRow]:
    """The segments that hold any text. NUL cannot be stored by PostgreSQL and is dropped."""
    texts = ((segment, segment.text.replace("\0", "").strip()) for segment in transcript.segments)
    return [SpokenRow(s.id, s.track, s.start_s, s.end_s, text) for s, text in texts if text]


def completions(texts: Iterable[str], typed: str, limit: int) -> list[str]:
    """What `typed` may become, the most often said first: its words with the last one finished, as somebody said them in
    a row, and short phrases that begin with them or hold them whole. Nothing that was not said."""
    begun = _WORD.findall(typed.casefold())
    counts: Counter[str] = Counter()
    if begun:
        for text in texts:
            words = _WORD.findall(text.casefold())
            for place in _places(words, begun):
                counts[" ".join(words[place : place + len(begun)])] += 1
                if len(words) <= PHRASE_WORDS:
                    counts[" ".join(words)] += 1
                break
    ranked = sorted(counts.items(), key=lambda item: (-item[1], len(item[0]), item[0]))
    return [phrase for phrase, _ in ranked[:limit]]


def _places(words: Sequence[str], begun: Sequence[str]) -> Iterable[int]:
    """Where `words` go on as `begun` did, its last word perhaps as the beginning of a longer one."""
    whole, last = list(begun[:-1]), begun[-1]
    for place in range(len(words) - len(begun) + 1):
        if list(words[place : place + len(whole)]) == whole and words[place + len(whole)].startswith(last):
            yield place


def frame_points(embeddings: Embeddings) -> list[FramePoint]:
    """Points whose ids follow from video, model and place, so that indexing twice changes nothing."""
    name = f"{embeddings.video_id}\0{embeddings.model}\0{embeddings.version}"
    return [FramePoint(uuid5(NAMESPACE, f"{name}\0{i}"), f.vector, f.t) for i, f in enumerate(embeddings.frames)]


def collection_name(model: str, version: str) -> str:
    """One collection per model and version: vectors of different models do not compare."""
    return re.sub(r"[^a-z0-9]+", "_", f"frames {model} {version}".lower()).strip("_")


def sample_evenly(vectors: Sequence[Sequence[float]], limit: int = MAX_QUERY_VECTORS) -> list[Sequence[float]]:
    """At most `limit` of them, evenly over the clip."""
    if len(vectors) <= limit:
        return list(vectors)
    return [vectors[i] for i in np.linspace(0, len(vectors) - 1, limit).round().astype(int)]


def fold_similar(found: Sequence[Iterable[tuple[UUID, float]]], limit: int) -> list[SimilarVideo]:
    """Hits of every sampled moment, folded into videos: each moment counts once per video, by its best hit."""
    totals: dict[UUID, float] = defaultdict(float)
    for hits in found:
        best: dict[UUID, float] = {}
        for video_id, score in hits:
            best[video_id] = max(score, best.get(video_id, 0.0))
        for video_id, score in best.items():
            totals[video_id] += score
    ranked = sorted(totals.items(), key=lambda item: (-item[1], item[0].int))[:limit]
    return [SimilarVideo(video_id, round(min(1.0, total / max(1, len(found))), 4)) for video_id, total in ranked]
