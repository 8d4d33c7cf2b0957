"""Our transcoding without a broker: the handlers of its stages, a store on disk, real caged children.

`python -m bench.engine preview HOME CLIP` takes a clip in and previews it; `prepare HOME CLIP [--whole] [--encode]` takes it in
and plans it, as one chunk or without a copy of the source where that is said. `work HOME` is one worker. Workers of one home
share its parts, as those of one queue do; whoever makes the last one puts the clip together.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ByteSize

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import (
    ClipAdmitted,
    ClipIngested,
    ClipTranscoded,
    Event,
    LongPartPlanned,
    PartPlanned,
    UploadCompleted,
)
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.store.disk.store import DiskStore
from clipstream.common.store.objects import ObjectInfo
from clipstream.ingest import stage as ingest
from clipstream.ingest.processor import Bounds
from clipstream.transcode import parts, planning, previewing
from clipstream.transcode.plan import Recipe
from clipstream.transcode.planned import Plan
from clipstream.transcode.publishing.assembled import Assembled, current_key
from fixtures import clips
from fixtures.context import CagedAttempt

PRESET = "veryfast"
LADDER = (480, 720, 1080)
LONGEST_S = 7200.0
COPIED_UP_TO = 24_000_000
PLAN, EVENTS = "plan.json", "parts.json"


def prepare_command(home: Path, clip: Path, *how: str) -> list[str]:
    return [sys.executable, "-m", "bench.engine", "prepare", str(home), str(clip), *how]


def preview_command(home: Path, clip: Path) -> list[str]:
    return [sys.executable, "-m", "bench.engine", "preview", str(home), str(clip)]


def work_command(home: Path) -> list[str]:
    return [sys.executable, "-m", "bench.engine", "work", str(home)]


def plan_of(home: Path) -> Plan:
    return Plan.model_validate_json((home / PLAN).read_bytes())


def told(home: Path) -> dict[str, float]:
    """The moments that were noted, in seconds: `poster` after the clip was taken in, `playable` after the
    upload was complete, `finalize` from the last part's end to the last playlist."""
    found: dict[str, float] = {}
    for file in home.glob("*.told"):
        found |= json.loads(file.read_text())
    return found


def cpu_of(home: Path) -> float:
    """CPU seconds of planning and all parts in a home, children included."""
    return sum(float(file.read_text()) for file in home.glob("*.spent"))


def collect(home: Path, into: Path) -> dict[str, Path]:
    """Every picture track of a finished home as one file, by the name of its rendition."""
    return asyncio.run(_collect(home, into))


class TimedStore(DiskStore):
    """Notes when each object has been written."""

    def __init__(self, root: Path, bucket: str) -> None:
        super().__init__(root, bucket, None)
        self.written: dict[ObjectKey, float] = {}

    async def put(self, key: ObjectKey, body: bytes, **how: Any) -> ObjectInfo:
        stored = await super().put(key, body, **how)
        self.written[key] = time.monotonic()
        return stored

    async def put_file(self, key: ObjectKey, path: Path, **how: Any) -> ObjectInfo:
        stored = await super().put_file(key, path, **how)
        self.written[key] = time.monotonic()
        return stored


async def preview(home: Path, clip: Path) -> None:
    store, upload = _store(home), await _uploaded(home, clip)
    began = time.monotonic()
    ingested = await _ingested(home, store, upload)
    taken_in = time.monotonic()
    await previewing.build(COPIED_UP_TO).handler(ingested, _attempt(home, store, "preview"))
    moments = {"poster": store.written[keys.thumbnail(upload.video_id)] - taken_in}
    if playlists := [moment for key, moment in store.written.items() if "/provisional/" in key]:
        moments["playable"] = max(playlists) - began
    (home / "preview.told").write_text(json.dumps(moments))


async def prepare(home: Path, clip: Path, how: Collection[str]) -> None:
    store, upload = _store(home), await _uploaded(home, clip)
    ingested = await _ingested(home, store, upload)
    recipe = Recipe(LADDER, PRESET, LONGEST_S)
    if "--whole" in how:
        recipe = replace(recipe, chunk_s=LONGEST_S)
    plan_it = planning.build(recipe, copy_bit_rate=0 if "--encode" in how else COPIED_UP_TO).handler
    admitted = ClipAdmitted(**{"packet_hash": "sha256:00", **dict(ingested)})
    with _counted(home):
        planned = await plan_it(admitted, _attempt(home, store, "planning"))
    events = [event for event in planned if isinstance(event, PartPlanned)]
    (home / EVENTS).write_text(json.dumps([event.model_dump(mode="json") for event in events]))
    plan = await planning.find(store, upload.video_id, events[0].plan)
    (home / PLAN).write_text(plan.model_dump_json())


async def _uploaded(home: Path, clip: Path) -> UploadCompleted:
    upload = clips.upload_completed()
    stored = await _store(home).put_file(upload.key, clip, content_type="video/mp4")
    return upload.model_copy(update={"etag": stored.etag, "size_bytes": stored.size_bytes})


async def _ingested(home: Path, store: TimedStore, upload: UploadCompleted) -> ClipIngested:
    bounds = Bounds(min_duration_s=0.5, max_duration_s=LONGEST_S)
    [ingested] = await ingest.build(bounds, ByteSize(8 << 30)).handler(upload, _attempt(home, store, "ingest"))
    assert isinstance(ingested, ClipIngested)
    return ingested


@contextmanager
def _counted(home: Path) -> Iterator[None]:
    """Around what ffmpeg's command does, too. Our interpreter's own start is not: a service has been started long ago."""
    began = _cpu_s()
    yield
    (home / f"{os.getpid()}.spent").write_text(str(_cpu_s() - began))


async def work(home: Path) -> None:
    """Make one part after the other, until none is left that nobody has begun."""
    kind = LongPartPlanned if plan_of(home).duration_s > planning.LONG_S else PartPlanned
    make, store = parts.build(long=kind is LongPartPlanned).handler, _store(home)
    for event in (kind.model_validate(each) for each in json.loads((home / EVENTS).read_text())):
        with suppress(FileExistsError):
            (home / f"{event.part}.begun").touch(exist_ok=False)
            answers = await make(event, _attempt(home, store, f"part-{event.part}"))
            _note_end(home, store, event, answers)


def _note_end(home: Path, store: TimedStore, event: PartPlanned, answers: Collection[Event]) -> None:
    if any(isinstance(answer, ClipTranscoded) for answer in answers):
        document = keys.segments(event.video_id, event.plan, f"parts/{event.part:05d}.json")
        (home / "end.told").write_text(json.dumps({"finalize": time.monotonic() - store.written[document]}))


async def _collect(home: Path, into: Path) -> dict[str, Path]:
    store, video_id = _store(home), json.loads((home / EVENTS).read_text())[0]["video_id"]
    output = Assembled.model_validate_json(await store.get(current_key(video_id)))
    found = {}
    for placed in output.videos:
        names = [placed.track.init_file, *(segment.file for segment in placed.track.segments)]
        bodies = [await store.get(keys.processed(video_id, f"{placed.prefix}{name}"), limit=1 << 30) for name in names]
        found[placed.track.name] = into / f"{placed.track.name}.mp4"
        found[placed.track.name].write_bytes(b"".join(bodies))
    return found


def _store(home: Path) -> TimedStore:
    return TimedStore(home / "store", "clipstream")


def _attempt(home: Path, store: TimedStore, name: str) -> CagedAttempt:
    scratch = home / f"{name}-{os.getpid()}"
    scratch.mkdir()
    return CagedAttempt(store, scratch)


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    what, home, *how = sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]
    if what == "preview":
        asyncio.run(preview(home, Path(how[0])))
    elif what == "prepare":
        asyncio.run(prepare(home, Path(how[0]), how[1:]))
    else:
        with _counted(home):
            asyncio.run(work(home))


if __name__ == "__main__":
    main()
