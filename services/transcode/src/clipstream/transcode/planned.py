"""A plan: what is to be made of one source, to the last slot, written once and read by every worker that makes a part.

Slots are pictures of the constant output rate, counted from 0 where the clip begins.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.contracts.media import MediaInfo
from clipstream.transcode.made import SourceCopy

SOFTWARE = "libx264"
"""The encoder that every machine has."""

SOUND = 0
"""The number of the part that makes all sound; chunks are numbered from 1."""

SOUND_LEADS_S = 0.1
"""Sound that begins this much before the first picture is not cut: the clip begins with it."""


class _Planned(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Rendition(_Planned):
    """One quality: even sizes in pixels, `max_bit_rate` in bits a second over any buffer of two seconds."""

    name: str
    width: int
    height: int
    max_bit_rate: int


class ChunkPlan(_Planned):
    """One run of whole source GOPs. Decoding begins at the key picture at or before `from_s` on the source's own clock.

    It encodes slots `first_slot` up to `end_slot`, which is None for the last chunk: that one ends with the source. `gops`
    are the slots at which closed GOPs begin, the first one among them; `segments` are indices into `gops` at which media
    segments begin, and the first of those has the number `first_segment`.
    """

    number: int
    from_s: float
    first_slot: int
    end_slot: int | None
    gops: tuple[int, ...]
    segments: tuple[int, ...]
    first_segment: int


class Plan(_Planned):
    """Everything a worker must know beside the source itself. `renditions` are to be encoded, the largest first; the one
    that is copied, if any, is not among them. `rate` is pictures a second as numerator and denominator.

    `source_prefix` stands before the names of the copied files, as playlists see them. `origin_s` is where the clip begins
    on the source's own clock. `top` is the name of the rendition that the copied source is, where it is one. `tiles_every_s`
    and `tile` (width, height) describe the storyboard; `preview_at_s` are the starts of the stretches that the hover preview
    is made of.
    """

    plan_id: str
    source_key: ObjectKey
    media: MediaInfo
    origin_s: float
    duration_s: float
    max_duration_s: float
    rate: tuple[int, int]
    preset: str
    encoder: str = SOFTWARE
    renditions: tuple[Rendition, ...] = ()
    source: SourceCopy
    source_prefix: str = ""
    top: str | None = None
    chunks: tuple[ChunkPlan, ...] = ()
    sound: bool = True
    segment_s: float = 4.0
    tiles_every_s: float = 1.0
    tile: tuple[int, int] = (0, 0)
    preview_at_s: tuple[float, ...] = ()
    preview: tuple[int, int] = (0, 0)

    @property
    def frame_rate(self) -> Fraction:
        return Fraction(*self.rate)

    @property
    def lowest(self) -> str | None:
        """The smallest rendition that is encoded."""
        return self.renditions[-1].name if self.renditions else None

    @property
    def parts(self) -> int:
        """How many parts there are: the chunks, and part 0 for the sound, which may be nothing."""
        return len(self.chunks) + 1


SOURCE = "source"
"""The name of the copied picture track, and with `-audio` behind it of the copied sound."""


def segment_file(track: str, number: int) -> Path:
    """The name of a track's segment, counted over the whole clip."""
    return Path(f"{track}-{number:05d}.m4s")


def init_file(track: str) -> Path:
    return Path(f"{track}-init.mp4")
