"""Our transcoding without a broker: a store on disk, real caged children, parts by the plan.

`python -m bench.engine prepare HOME CLIP [--whole] [--encode]` looks into a clip and plans it: as one chunk, or without a copy
of the source, where that is said. `python -m bench.engine work HOME` is one worker. Workers of one home share its parts, as
those of one queue do.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from clipstream.common.contracts.documents import Probe
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.stage.context import Limits
from clipstream.common.stage.isolate import isolate
from clipstream.common.store.disk.store import DiskStore
from clipstream.ingest.processor import Bounds, probe
from clipstream.transcode.chunk import encode_chunk
from clipstream.transcode.made import PartMade, SourceCopy
from clipstream.transcode.plan import Recipe, plan_clip
from clipstream.transcode.planned import Plan

PRESET = "veryfast"
LADDER = (480, 720, 1080)
ORIGINAL = ObjectKey("raw-uploads/clip.mp4")
LONGEST_S = 7200.0
_LIMITS = Limits(memory_bytes=8 << 30)


def prepare_command(home: Path, clip: Path, *how: str) -> list[str]:
    return [sys.executable, "-m", "bench.engine", "prepare", str(home), str(clip), *how]


def work_command(home: Path) -> list[str]:
    return [sys.executable, "-m", "bench.engine", "work", str(home)]


def plan_of(home: Path) -> Plan:
    return Plan.model_validate_json((home / "plan.json").read_bytes())


def collect(home: Path, into: Path) -> dict[str, Path]:
    """Every picture track of a finished home as one file, by the name of its rendition."""
    return asyncio.run(_collect(home, into))


async def prepare(home: Path, clip: Path, how: Iterable[str]) -> None:
    store = _store(home)
    stored = await store.put_file(ORIGINAL, clip, content_type="video/mp4")
    scratch = _scratch(home, "plan")
    found = await isolate(probe, store=store, source=ORIGINAL, scratch=scratch, bounds=Bounds(min_duration_s=0.5))
    source = SourceCopy(verdict="It was not tried.")
    recipe = Recipe(LADDER, PRESET, LONGEST_S)
    if "--whole" in how:
        recipe = replace(recipe, chunk_s=LONGEST_S)
    plan = plan_clip(Probe(**dict(found)), source, recipe, key=ORIGINAL, etag=stored.etag)
    (home / "parts").mkdir()
    (home / "plan.json").write_text(plan.model_dump_json())


async def work(home: Path) -> None:
    """Make one part after the other, until none is left that nobody has begun."""
    plan = plan_of(home)
    for number in range(1, plan.parts):
        with suppress(FileExistsError):
            (home / "parts" / f"{number}.begun").touch(exist_ok=False)
            made = await _part(home, plan, number)
            (home / "parts" / f"{number}.json").write_text(made.model_dump_json())


def cpu_of(home: Path) -> float:
    """CPU seconds of all that was done in a home, children included. Our interpreter's own start is not: a service has
    been started long ago."""
    return sum(float(file.read_text()) for file in home.glob("*.spent"))


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


async def _part(home: Path, plan: Plan, number: int) -> PartMade:
    store = _store(home)

    async def take(file: Path) -> None:
        await store.put_file(ObjectKey(f"segments/{file.name}"), file, content_type="video/iso.segment")

    return await isolate(
        encode_chunk,
        store=store,
        source=ORIGINAL,
        scratch=_scratch(home, f"part-{number}"),
        limits=_LIMITS,
        take=take,
        plan=plan,
        number=number,
    )


async def _collect(home: Path, into: Path) -> dict[str, Path]:
    store, plan = _store(home), plan_of(home)
    parts = [PartMade.model_validate_json((home / "parts" / f"{n}.json").read_bytes()) for n in range(1, plan.parts)]
    found = {}
    for pieces in zip(*(part.tracks for part in parts), strict=True):
        names = [pieces[0].init_file, *(segment.file for piece in pieces for segment in piece.segments)]
        bodies = [await store.get(ObjectKey(f"segments/{name}"), limit=1 << 30) for name in names]
        found[pieces[0].name] = into / f"{pieces[0].name}.mp4"
        found[pieces[0].name].write_bytes(b"".join(bodies))
    return found


def _store(home: Path) -> DiskStore:
    return DiskStore(home / "store", "clipstream", None)


def _scratch(home: Path, name: str) -> Path:
    scratch = home / name
    scratch.mkdir()
    return scratch


def main() -> None:
    what, home, *how = sys.argv[1:]
    began = _cpu_s()
    if what == "prepare":
        asyncio.run(prepare(Path(home), Path(how[0]), how[1:]))
    else:
        asyncio.run(work(Path(home)))
    (Path(home) / f"{os.getpid()}.spent").write_text(str(_cpu_s() - began))


if __name__ == "__main__":
    main()
