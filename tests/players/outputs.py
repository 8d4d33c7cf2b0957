"""Outputs as the transcode service makes them, for players: every kind of source that is packaged in a way of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from clipstream.common.contracts.keys import ObjectKey
from clipstream.ingest.processor import Bounds, probe
from clipstream.transcode.manifests.captions import Captions
from clipstream.transcode.manifests.files import entrances, of_tracks
from clipstream.transcode.plan import Recipe, plan_clip
from corpus import odd
from corpus.beeps import Sound
from corpus.published import captions
from integration.transcode.watched import copied
from integration.transcode.whole import NO_COPY, made_by

LADDER = (144, 240, 360)
COPY_ID = "copy"


@dataclass(frozen=True)
class Kind:
    """A source, and how it is worked on. Pictures a second, seconds, the length of chunks, whether it may be copied."""

    rate: Fraction
    duration_s: int
    chunk_s: float
    copy: bool
    gop: int = 30


KINDS: Mapping[str, Kind] = {
    "source on top": Kind(Fraction(30), 12, chunk_s=100.0, copy=True, gop=50),
    "chunks": Kind(Fraction(60_000, 1001), 12, chunk_s=3.0, copy=False),
    "source on top of chunks": Kind(Fraction(30), 12, chunk_s=4.0, copy=True, gop=20),
}


def write(into: Path, kind: Kind) -> Path:
    """Make a clip and its output in the directory `into`; that of the output."""
    clip = odd.write(
        into / "clip.mp4",
        odd.even(kind.rate, round(kind.duration_s * kind.rate)),
        look=odd.Look(size=(640, 360), gop=kind.gop, b_frames=2),
        sounds=[
            Sound(title="Game", end_s=kind.duration_s, tones_hz=(220.0,)),
            Sound(title="Mic", end_s=kind.duration_s, tones_hz=(880.0,)),
        ],
    )
    out = into / "output"
    recipe = Recipe(LADDER, "superfast", 60.0, chunk_s=kind.chunk_s)
    with clip.open("rb") as media:
        probed = probe(media, bounds=Bounds())
    source, key = NO_COPY, ObjectKey("raw-uploads/clip")
    plan = plan_clip(probed, source, recipe, key=key, etag="etag")
    if kind.copy:
        source = copied(clip, plan, out / "segments" / COPY_ID)
        plan = plan_clip(probed, source, recipe, key=key, etag="etag", copy_id=COPY_ID)
    made = made_by(plan, clip, out / "segments" / plan.plan_id).joined
    texts = of_tracks((*made.videos, *made.audios)) | entrances(made.videos, made.audios, Captions("en"))
    for name, text in {**texts, "captions.vtt": captions(kind.duration_s)}.items():
        (out / name).write_text(text)
    return out
