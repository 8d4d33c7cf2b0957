"""What plays before everything is made, as stages tell of it."""

from __future__ import annotations

from typing import Literal, TypeAlias
from uuid import UUID

from clipstream.common.contracts.ids import StreamId, VideoId
from clipstream.gateway.clip import Clip
from clipstream.gateway.projection import fold
from corpus.stories import Story

VIDEO, STREAM = VideoId(UUID(int=1)), StreamId(UUID(int=3))
Kind: TypeAlias = Literal["copy", "rendition"]
BOTH: tuple[tuple[Kind, Kind], ...] = (("copy", "rendition"), ("rendition", "copy"))


def _played(*kinds: Kind) -> Story:
    told = Story(VIDEO, STREAM)
    for kind in kinds:
        told.playable(kind)
    return told


def folded(told: Story) -> Clip:
    clip = Clip(id=VIDEO, stream_id=STREAM)
    for envelope in told.told:
        fold(clip, envelope)
    return clip


def test_a_copy_of_the_source_is_played_rather_than_a_small_rendition() -> None:
    for kinds in BOTH:
        clip = folded(_played(*kinds))
        assert clip.playable is not None
        assert clip.playable["hls_key"] == f"processed-videos/{VIDEO}/provisional/master.m3u8"
        assert clip.playable["kind"] == "copy"
    clip = folded(_played("rendition"))
    assert clip.playable is not None
    assert clip.playable["kind"] == "rendition"


def test_a_preview_without_a_poster_is_done_as_well() -> None:
    clip = folded(_played("copy"))
    assert (clip.stages["preview"].state, clip.preview) == ("done", None)
    assert folded(_played("rendition")).stages["preview"].state == "queued"
