"""Writes what players look for from one finished output: the same bytes every time, the master playlist last."""

from __future__ import annotations

import asyncio
from pathlib import Path

from clipstream.common.contracts import keys
from clipstream.common.contracts.documents import Transcript
from clipstream.common.contracts.ids import VideoId
from clipstream.common.errors import NotFound
from clipstream.common.store.objects import ObjectStore
from clipstream.transcode.manifests.captions import Captions, captions_of
from clipstream.transcode.manifests.files import entrances, of_tracks
from clipstream.transcode.publishing.assembled import Assembled, current_key

_CONTENT_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".vtt": "text/vtt",
    ".jpg": "image/jpeg",
    ".mp4": "video/mp4",
}
_TRANSCRIPT_LIMIT = 64 << 20


async def publish(store: ObjectStore, video_id: VideoId, output: Assembled) -> None:
    """Write what players look for, the master playlist last. Repeatable.

    The transcript may come at any moment: whoever writes it looks for our output afterwards, and we look for captions
    before and after our master, so that one of us sees the other."""
    await store.put(current_key(video_id), output.model_dump_json().encode(), content_type="application/json")
    texts = of_tracks((*output.videos, *output.audios))
    await asyncio.gather(*(put(store, video_id, name, text.encode()) for name, text in texts.items()))
    captions = await find_captions(store, video_id)
    await publish_entrances(store, video_id, output, captions)
    if (now := await find_captions(store, video_id)) != captions:
        await publish_entrances(store, video_id, output, now)


async def publish_entrances(
    store: ObjectStore, video_id: VideoId, output: Assembled, captions: Captions | None
) -> None:
    """Write what players are pointed at; the tracks' own playlists are there."""
    for name, text in entrances(output.videos, output.audios, captions).items():
        await put(store, video_id, name, text.encode())


async def find_captions(store: ObjectStore, video_id: VideoId) -> Captions | None:
    """The captions of a clip whose speech has been heard already. The transcript is written after them."""
    try:
        raw = await store.get(keys.transcript(video_id), limit=_TRANSCRIPT_LIMIT)
    except NotFound:
        return None
    transcript = Transcript.model_validate_json(raw)
    return captions_of(len(transcript.segments), transcript.language)


async def put(store: ObjectStore, video_id: VideoId, name: str, body: bytes) -> None:
    """One object beside the playlists."""
    await store.put(keys.processed(video_id, name), body, content_type=_CONTENT_TYPES[Path(name).suffix])
