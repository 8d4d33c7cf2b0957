"""All texts that make a clip's tracks playable, by name, in the order in which they may appear in a store: what names
another comes after it, and the multivariant playlist, which says that all is there, comes last."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from clipstream.transcode.manifests.captions import FILE, Captions
from clipstream.transcode.manifests.dash import manifest
from clipstream.transcode.manifests.hls import (
    CAPTIONS,
    captions_playlist,
    iframe_name,
    iframe_playlist,
    master_playlist,
    media_playlist,
    playlist_name,
)
from clipstream.transcode.manifests.placed import Placed

DASH = "manifest.mpd"
HLS = "master.m3u8"


def of_tracks(placed: Sequence[Placed]) -> dict[str, str]:
    """The playlists of the tracks themselves, which captions do not change."""
    texts = {playlist_name(each.track): media_playlist(each) for each in placed}
    keyed = [each for each in placed if any(segment.keys for segment in each.track.segments)]
    return texts | {iframe_name(each.track): iframe_playlist(each) for each in keyed}


def entrances(videos: Sequence[Placed], sounds: Sequence[Placed], captions: Captions | None) -> dict[str, str]:
    """What players are pointed at, and what it names beside the tracks. Written again whenever captions come or go."""
    length_s = max((each.track.duration_s for each in chain(videos, sounds)), default=0.0)
    texts = {CAPTIONS: captions_playlist(length_s, FILE)} if captions else {}
    tracks = [each.track for each in videos], [each.track for each in sounds]
    return texts | {
        DASH: manifest(videos, sounds, captions),
        HLS: master_playlist(*tracks, captions=captions),
    }
