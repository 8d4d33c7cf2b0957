"""`make bench-transcode`: our ladder beside ffmpeg's, of the same clip with the same encoder settings, in the same run.

What is compared takes turns, and the median counts. CPU seconds are trusted on a busy machine, wall times only on an idle one.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench import engine, ladders, quality, sources
from bench.processes import Cost, cost
from bench.report import ROOT, Report
from clipstream.transcode.plan import renditions
from clipstream.transcode.planned import Rendition

CACHE = ROOT / ".run" / "bench"
SHORT_S, SCALED_S, LONG_S = 30, 60, 300
RUNGS = renditions(sources.WIDTH, sources.HEIGHT, engine.LADDER)
FFMPEG, SEPARATE, WHOLE, CHUNKED = "one ffmpeg command", "three ffmpeg commands", "ours, one chunk", "ours, in chunks"
FFMPEG_COPY, OURS_COPY = "one ffmpeg command, source on top", "ours, source on top"


@dataclass
class Bench:
    """Where things are made, and how often."""

    report: Report
    home: Path
    repeats: int
    made: int = 0
    homes: dict[str, Path] = field(default_factory=dict)

    def directory(self, what: str) -> Path:
        """A new, empty one; `homes` knows the latest for each purpose."""
        self.made += 1
        self.homes[what] = self.home / str(self.made)
        self.homes[what].mkdir()
        return self.homes[what]

    def medians(self, clip: str, runs: dict[str, Callable[[], Cost]]) -> dict[str, float]:
        """CPU seconds of each, taking turns."""
        spent: dict[str, list[Cost]] = {name: [] for name in runs}
        for _ in range(self.repeats):
            for name, run in runs.items():
                spent[name].append(run())
        medians = {name: statistics.median(each.cpu_s for each in costs) for name, costs in spent.items()}
        for name, seconds in medians.items():
            self.report.add(f"{clip}: {name}", seconds, "CPU s")
            self.report.add(f"{clip}: {name}, wall", statistics.median(each.wall_s for each in spent[name]), "s")
        peak = max(each.peak_mb for name in (WHOLE, CHUNKED, OURS_COPY) for each in spent.get(name, ()))
        self.report.add(f"{clip}: peak memory of a worker's child", peak, "MB", "<= 600")
        return medians


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--long", action="store_true", help="the five-minute clip, too")
    chosen = arguments.parse_args()
    report = Report("transcode", packages=("av", "imageio-ffmpeg"))
    with tempfile.TemporaryDirectory(prefix="clipstream-bench-") as home:
        bench = Bench(report, Path(home), chosen.repeats)
        _ladder(bench, SHORT_S)
        _source_on_top(bench, SHORT_S)
        _moments(bench, SHORT_S)
        if chosen.long:
            bench.repeats = 1
            _ladder(bench, LONG_S)
            _source_on_top(bench, LONG_S)
        _workers(bench, LONG_S if chosen.long else SCALED_S)
    report.write()


def _ladder(bench: Bench, duration_s: int) -> None:
    clip = sources.recorded(sources.LONG_GOP, duration_s, CACHE)
    name = f"{duration_s} s"
    cpu = bench.medians(
        name,
        {
            FFMPEG: lambda: cost(_one_command(clip, bench.directory(FFMPEG))),
            WHOLE: lambda: _ours(bench.directory(WHOLE), clip, "--whole", "--encode"),
            CHUNKED: lambda: _ours(bench.directory(CHUNKED), clip, "--encode"),
            SEPARATE: lambda: _separate(clip, bench.directory(SEPARATE)),
        },
    )
    bench.report.add(f"{name}: CPU of {WHOLE} / {FFMPEG}", cpu[WHOLE] / cpu[FFMPEG], "ratio", "<= 1.05")
    bench.report.add(f"{name}: CPU of {WHOLE} / {SEPARATE}", cpu[WHOLE] / cpu[SEPARATE], "ratio")
    bench.report.add(f"{name}: CPU of {CHUNKED} / {WHOLE}", cpu[CHUNKED] / cpu[WHOLE], "ratio", "<= 1.08")
    bench.report.add(f"{name}: chunks", len(engine.plan_of(bench.homes[CHUNKED]).chunks), "chunks")
    for rung, number in zip(RUNGS, range(len(RUNGS)), strict=True):
        _likeness(bench, name, clip, rung, number)


def _likeness(bench: Bench, name: str, clip: Path, rung: Rendition, number: int) -> None:
    """Bits and distortion of one rendition beside ffmpeg's, from the last round."""
    joined = bench.directory("joined")
    theirs = quality.joined(bench.homes[FFMPEG] / f"v{number}.m3u8", joined / "theirs.mp4")
    ours = [engine.collect(bench.homes[how], bench.directory("tracks"))[rung.name] for how in (WHOLE, CHUNKED)]
    bits = [quality.payload_bytes(track) for track in (theirs, *ours)]
    psnr = quality.psnr_db(clip, [theirs, *ours], sources.RATE)
    for how, size, distortion in zip((WHOLE, CHUNKED), bits[1:], psnr[1:], strict=True):
        target = "<= 0.5" if how == WHOLE else None
        bench.report.add(
            f"{name}: {rung.name} bits of {how}, off ffmpeg's by", abs(size / bits[0] - 1) * 100, "%", target
        )
        target = "<= 0.05" if how == WHOLE else None
        bench.report.add(f"{name}: {rung.name} PSNR of {how}, off ffmpeg's by", abs(distortion - psnr[0]), "dB", target)
    bench.report.add(f"{name}: {rung.name} PSNR of {FFMPEG}", psnr[0], "dB")


def _source_on_top(bench: Bench, duration_s: int) -> None:
    clip = sources.recorded(sources.COPYABLE, duration_s, CACHE)
    name = f"{duration_s} s, copyable"
    cpu = bench.medians(
        name,
        {
            FFMPEG: lambda: cost(_one_command(clip, bench.directory(FFMPEG))),
            FFMPEG_COPY: lambda: cost(
                ladders.source_on_top(clip, RUNGS[1:], sources.RATE, engine.PRESET, bench.directory(FFMPEG_COPY))
            ),
            OURS_COPY: lambda: _ours(bench.directory(OURS_COPY), clip),
        },
    )
    bench.report.add(f"{name}: CPU of {OURS_COPY} / {FFMPEG}", cpu[OURS_COPY] / cpu[FFMPEG], "ratio", "<= 0.60")
    bench.report.add(f"{name}: CPU of {OURS_COPY} / {FFMPEG_COPY}", cpu[OURS_COPY] / cpu[FFMPEG_COPY], "ratio")


def _moments(bench: Bench, duration_s: int) -> None:
    """What a viewer waits for. Wall time: says nothing on a busy machine."""
    clip = sources.recorded(sources.COPYABLE, duration_s, CACHE)
    homes = [bench.directory("preview") for _ in range(bench.repeats)]
    for home in homes:
        cost(engine.preview_command(home, clip))
    previews = [engine.told(home) for home in homes]
    name = f"{duration_s} s, copyable"
    playable = statistics.median(each["playable"] for each in previews)
    bench.report.add(f"{name}: last byte to playable", playable, "s", "<= 1")
    bench.report.add(f"{name}: poster", statistics.median(each["poster"] for each in previews), "s", "<= 0.3")
    bench.report.add(f"{name}: finalize", engine.told(bench.homes[OURS_COPY])["finalize"], "s", "<= 0.5")


def _workers(bench: Bench, duration_s: int) -> None:
    """What a second worker on a second core brings. Wall time: says nothing on a busy machine."""
    clip = sources.recorded(sources.LONG_GOP, duration_s, CACHE)
    one, two = bench.directory("one worker"), bench.directory("two workers")
    for home in (one, two):
        cost(engine.prepare_command(home, clip, "--encode"))
    alone = cost(engine.work_command(one), cores={0})
    together = cost(engine.work_command(two), engine.work_command(two), cores={0, 1})
    bench.report.add(f"{duration_s} s: one worker on one core, wall", alone.wall_s, "s")
    bench.report.add(f"{duration_s} s: two workers on two cores, wall", together.wall_s, "s")
    bench.report.add(f"{duration_s} s: speed of two workers / one", alone.wall_s / together.wall_s, "ratio", ">= 1.8")


def _one_command(clip: Path, into: Path) -> list[str]:
    return ladders.one_command(clip, RUNGS, sources.RATE, engine.PRESET, into)


def _separate(clip: Path, into: Path) -> Cost:
    runs = [cost(run) for run in ladders.separate_commands(clip, RUNGS, sources.RATE, engine.PRESET, into)]
    return Cost(sum(run.wall_s for run in runs), sum(run.cpu_s for run in runs), max(run.peak_mb for run in runs))


def _ours(home: Path, clip: Path, *how: str) -> Cost:
    """Plan and parts by one worker. The start of its interpreter is not counted: a service has started long ago."""
    planned, worked = cost(engine.prepare_command(home, clip, *how)), cost(engine.work_command(home))
    return Cost(planned.wall_s + worked.wall_s, engine.cpu_of(home), max(planned.peak_mb, worked.peak_mb))


if __name__ == "__main__":
    main()
