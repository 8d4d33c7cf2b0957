"""Our transcoding without a broker: the stage's own handlers, a store on disk, real caged children.

`python -m bench.engine prepare HOME CLIP` plans, `python -m bench.engine work HOME` is one worker. Workers of one home share
what is to be made, as those of one queue do.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import ClipAdmitted
from clipstream.common.store.disk.store import DiskStore
from clipstream.transcode.plan import Recipe
from clipstream.transcode.stage import build
from fixtures import clips
from fixtures.context import CagedAttempt

LADDER = (480, 720, 1080)
PRESET = "veryfast"


def prepare_command(home: Path, clip: Path, *how: str) -> list[str]:
    return [sys.executable, "-m", "bench.engine", "prepare", str(home), str(clip), *how]


def work_command(home: Path) -> list[str]:
    return [sys.executable, "-m", "bench.engine", "work", str(home)]


def store_of(home: Path) -> DiskStore:
    return DiskStore(home / "store", "clipstream", None)


def admitted(home: Path) -> ClipAdmitted:
    """The event that this home's work is about."""
    return ClipAdmitted.model_validate_json((home / "event.json").read_bytes())


async def prepare(home: Path, clip: Path, *how: str) -> None:
    event = clips.clip_admitted()
    store = store_of(home)
    stored = await store.put_file(event.key, clip, content_type="video/mp4")
    event = event.model_copy(update={"etag": stored.etag})
    (home / "event.json").write_text(event.model_dump_json())
    (home / "how.json").write_text(json.dumps(how))


async def work(home: Path) -> None:
    scratch = home / "scratch"
    scratch.mkdir()
    attempt = CagedAttempt(store_of(home), scratch)
    await build(Recipe(LADDER, PRESET, 7200.0)).handler(admitted(home), attempt)


async def collect(home: Path, into: Path) -> dict[str, Path]:
    """Every picture track of the output as one file, by its name."""
    store, video_id = store_of(home), admitted(home).video_id
    master = (await store.get(keys.processed(video_id, "master.m3u8"))).decode()
    found = {}
    for playlist in re.findall(r"^[^#\n]+\.m3u8$", master, re.MULTILINE):
        lines = (await store.get(keys.processed(video_id, playlist))).decode().splitlines()
        init = next(match[1] for line in lines if (match := re.match(r'#EXT-X-MAP:.*URI="([^"]+)"', line)))
        names = [init, *(line for line in lines if line and not line.startswith("#"))]
        file = into / f"{Path(playlist).stem}.mp4"
        file.write_bytes(b"".join([await store.get(keys.processed(video_id, n), limit=1 << 30) for n in names]))
        found[file.stem] = file
    return found


def main() -> None:
    what, home, *how = sys.argv[1:]
    if what == "prepare":
        asyncio.run(prepare(Path(home), Path(how[0]), *how[1:]))
    else:
        asyncio.run(work(Path(home)))


if __name__ == "__main__":
    main()
