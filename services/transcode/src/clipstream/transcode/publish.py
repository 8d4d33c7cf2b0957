"""Puts a finished package into the store so that it appears whole, once, whoever else is at the same work.

The order is the point; docs/adr/0009 says why. Everything below `segments/{plan}/{run}/` belongs to one run. The first
run that writes `segments/{plan}/output.json` has won, and whatever players look for is written from that object alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import Rendition
from clipstream.common.contracts.ids import RunId, VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Conflict, NotFound
from clipstream.common.store.objects import ObjectStore
from clipstream.transcode.playlists import bandwidth, master_playlist, media_playlist
from clipstream.transcode.processor import Package

UPLOADS = 4
"""Objects on their way to the store at once."""

_PLAYLIST = "application/vnd.apple.mpegurl"
_DOCUMENT_LIMIT = 64 << 20


class Output(BaseModel):
    """What the winning run of a plan made: the facts of its event, and its playlists by name, as text."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    run_id: RunId
    renditions: tuple[Rendition, ...]
    duration_s: float
    playlists: dict[str, str]
    master: str
    stored_bytes: int = 0


def describe(package: Package, plan: str, run_id: RunId, media_bytes: int) -> Output:
    """The package as players will see it: playlists beside `master.m3u8`, segments below `segments/`. `media_bytes` is
    what its segments and pictures take."""
    prefix = f"segments/{plan}/{run_id}/"
    sound = (package.audio,) if package.audio else ()
    playlists = {f"{track.name}.m3u8": media_playlist(track, prefix) for track in (*package.videos, *sound)}
    master = master_playlist(package.videos, package.audio)
    return Output(
        run_id=run_id,
        renditions=tuple(_rendition(package, number) for number in range(len(package.videos))),
        duration_s=package.duration_s,
        playlists=playlists,
        master=master,
        stored_bytes=media_bytes + sum(len(text.encode()) for text in (*playlists.values(), master)),
    )


async def find_output(store: ObjectStore, video_id: VideoId, plan: str) -> Output | None:
    """What a run of this plan has made already."""
    try:
        return Output.model_validate_json(await store.get(_claim_key(video_id, plan), limit=_DOCUMENT_LIMIT))
    except NotFound:
        return None


async def store_package(
    store: ObjectStore, video_id: VideoId, plan: str, run_id: RunId, package: Package, scratch: Path
) -> Output:
    """Upload everything of this run, then claim the plan; the output that won, this run's or another's."""
    tracks = (*package.videos, package.audio) if package.audio else package.videos
    files = [file for track in tracks for file in (track.init_file, *(segment.file for segment in track.segments))]
    media_bytes = await _upload_all(
        store, {_segment_key(video_id, plan, run_id, file.name): scratch / file for file in files}
    )
    thumbnail = scratch / package.thumbnail_file
    media_bytes += (await store.put_file(keys.thumbnail(video_id), thumbnail, content_type="image/jpeg")).size_bytes
    output = describe(package, plan, run_id, media_bytes)
    try:
        body = output.model_dump_json().encode()
        await store.put(_claim_key(video_id, plan), body, content_type="application/json", if_absent=True)
    except Conflict:
        await store.delete_prefix(_segment_key(video_id, plan, run_id))
        return await find_output(store, video_id, plan) or output
    return output


async def publish(store: ObjectStore, video_id: VideoId, plan: str, output: Output) -> ObjectKey:
    """Write what players look for, the master playlist last, and sweep what other runs of the plan left. Repeatable: it
    writes the same bytes every time."""
    for name, text in output.playlists.items():
        await store.put(keys.processed(video_id, name), text.encode(), content_type=_PLAYLIST)
    master = keys.processed(video_id, "master.m3u8")
    await store.put(master, output.master.encode(), content_type=_PLAYLIST)
    kept = (_claim_key(video_id, plan), _segment_key(video_id, plan, output.run_id))
    left = [item.key async for item in store.list(keys.processed(video_id, f"segments/{plan}/"))]
    for key in left:
        if not key.startswith(kept):
            await store.delete(key)
    return master


async def _upload_all(store: ObjectStore, files: Mapping[ObjectKey, Path]) -> int:
    """The bytes that they take in the store."""
    turns = asyncio.Semaphore(UPLOADS)

    async def upload(key: ObjectKey, path: Path) -> int:
        content_type = "video/mp4" if path.suffix == ".mp4" else "video/iso.segment"
        async with turns:
            return (await store.put_file(key, path, content_type=content_type)).size_bytes

    async with asyncio.TaskGroup() as group:
        sent = [group.create_task(upload(key, path)) for key, path in files.items()]
    return sum(task.result() for task in sent)


def _rendition(package: Package, number: int) -> Rendition:
    track = package.videos[number]
    peak, average = bandwidth(track, package.audio)
    return Rendition(name=track.name, width=track.width, height=track.height, bandwidth=peak, average_bandwidth=average)


def _claim_key(video_id: VideoId, plan: str) -> ObjectKey:
    return keys.processed(video_id, f"segments/{plan}/output.json")


def _segment_key(video_id: VideoId, plan: str, run_id: RunId, name: str = "") -> ObjectKey:
    return keys.processed(video_id, f"segments/{plan}/{run_id}/{name}")
