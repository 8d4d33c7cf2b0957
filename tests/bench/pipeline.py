"""`make bench-pipeline`: what one clip costs from upload to ready, beside one ffmpeg command that makes the same ladder.

The clip is 30 s of 1080p60 with speech, on disk storage and this machine's private servers. Every figure of one run is
measured in the same run; times are wall time on an otherwise idle machine, so read the ratios.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import imageio_ffmpeg
from pydantic import AmqpDsn
from yarl import URL

from bench.processes import PeakMemory, cpu_seconds, timed
from bench.report import ROOT, Report
from clipstream.common.bus.rabbit import connect
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipDeleted
from clipstream.common.contracts.ids import EventId, StreamId, VideoId
from clipstream.common.settings import BusSettings, StoreSettings
from clipstream.standalone import plan
from clipstream.standalone.postgres import PostgreSQL
from clipstream.standalone.rabbitmq import RabbitMQ
from corpus import gameplay
from fixtures.cluster import Cluster, player_in, running

REPEATS = 3
HOPS = 200
SERVICES = ("gateway", *plan.STAGES)
LADDER = ((1920, 1080, "8M", "16M"), (1280, 720, "5M", "10M"), (854, 480, "2500k", "5M"))


def main() -> None:
    report = Report("pipeline")
    cache = ROOT / ".run" / "bench"
    cache.mkdir(parents=True, exist_ok=True)
    clip = cache / "clip-1080p60.mp4"
    if not clip.exists():
        gameplay.render_clip(
            clip,
            seed=90,
            duration_s=30,
            width=1920,
            height=1080,
            fps=60,
            speech=[(2.0, "behind you"), (20.0, "reload")],
        )
    with tempfile.TemporaryDirectory(prefix="clipstream-bench-") as home:
        root = Path(home)
        with (
            RabbitMQ(root / "rabbitmq", ROOT / ".tools") as broker,
            PostgreSQL(root / "postgres", ROOT / ".tools") as database,
        ):
            media = root / "media"
            with running(root, broker.url, database.url, {"STORAGE_ROOT": str(media)}) as run:
                cluster = Cluster(run, StoreSettings(storage_root=media), broker.url)
                pipeline_cpu = asyncio.run(_pipeline(report, cluster, clip))
            broker.control("add_vhost", "hops")
            broker.control("set_permissions", "-p", "hops", str(URL(broker.url).user), ".*", ".*", ".*")
            asyncio.run(_hops(report, str(URL(broker.url).with_path("/hops"))))
        _ffmpeg(report, clip, root, pipeline_cpu)
    report.write()


async def _pipeline(report: Report, cluster: Cluster, clip: Path) -> float:
    """Upload the clip into a stream of its own each time; CPU seconds of all services, median."""
    playable, ready, cpu = [], [], []
    peaks = PeakMemory({name: pid for name in SERVICES if (pid := cluster.pid(name))})
    peaks.start()
    for _ in range(REPEATS):
        async with player_in(cluster) as player:
            video_id = await player.upload(clip, announce=False)
            before, start = _cpu(cluster), time.monotonic()
            await player.client.call("POST", f"/videos/{video_id}/complete")
            while (await player.client.call("GET", f"/videos/{video_id}/stream"))["status_code"] != 200:
                await asyncio.sleep(0.05)
            playable.append(time.monotonic() - start)
            assert (await player.ended(video_id, 600))["status"] == "ready"
            ready.append(time.monotonic() - start)
            cpu.append(_cpu(cluster) - before)
    peaks.stop()
    report.add("upload completed to playable", statistics.median(playable), "s")
    report.add("upload completed to ready", statistics.median(ready), "s")
    report.add("CPU of the whole pipeline", statistics.median(cpu), "CPU s")
    for name, peak in peaks.peak_mb.items():
        report.add(f"peak memory of {name}, its children included", peak, "MB")
    return statistics.median(cpu)


def _cpu(cluster: Cluster) -> float:
    return sum(cpu_seconds(pid) for name in SERVICES if (pid := cluster.pid(name)))


async def _hops(report: Report, amqp_url: str) -> None:
    """A chain through one stage queue: each event is consumed, answered with a confirmed publish, and acknowledged."""
    bus = await connect(BusSettings(amqp_url=AmqpDsn(amqp_url)), "bench")
    finished, took, last = asyncio.Event(), [], time.monotonic()

    async def answer(_: Envelope) -> None:
        nonlocal last
        took.append(time.monotonic() - last)
        last = time.monotonic()
        if len(took) == HOPS:
            finished.set()
        else:
            await bus.publish(_event())

    await bus.consume("search.deletions", [ClipDeleted], answer)
    await bus.publish(_event())
    await finished.wait()
    await bus.drain(timedelta(seconds=5))
    await bus.close()
    report.add("bus overhead of one stage hop, median", statistics.median(took) * 1000, "ms")
    report.add("bus overhead of one stage hop, 99th percentile", statistics.quantiles(took, n=100)[98] * 1000, "ms")


def _event() -> Envelope:
    event = ClipDeleted(video_id=VideoId(uuid4()), stream_id=StreamId(uuid4()))
    return Envelope.first(event, event_id=EventId(uuid4()), source="bench")


def _ffmpeg(report: Report, clip: Path, out: Path, pipeline_cpu: float) -> None:
    """One command, one decode, the same renditions and encoder settings, HLS with fMP4 segments."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    split = f"[0:v]split={len(LADDER)}" + "".join(f"[s{i}]" for i in range(len(LADDER)))
    scales = [f"[s{i}]scale={w}:{h}:flags=bicubic[v{i}]" for i, (w, h, _, _) in enumerate(LADDER)]
    command = [ffmpeg, "-nostdin", "-y", "-i", str(clip), "-filter_complex", ";".join([split, *scales])]
    for i, (_, _, rate, buffer) in enumerate(LADDER):
        command += ["-map", f"[v{i}]", f"-maxrate:v:{i}", rate, f"-bufsize:v:{i}", buffer]
    command += [
        "-map",
        "0:a",
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-crf",
        "23",
        "-g",
        "120",
        "-keyint_min",
        "120",
    ]
    command += ["-sc_threshold", "0", "-c:a", "aac", "-b:a", "128k", "-ar", "48000", "-f", "hls", "-hls_time", "4"]
    command += ["-hls_segment_type", "fmp4", "-hls_playlist_type", "vod", "-master_pl_name", "master.m3u8"]
    command += ["-var_stream_map", "v:0,agroup:a v:1,agroup:a v:2,agroup:a a:0,agroup:a", str(out / "v%v.m3u8")]
    runs = [timed(command) for _ in range(REPEATS)]
    wall, cpu = (statistics.median(column) for column in zip(*runs, strict=True))
    report.add("one ffmpeg command, the same ladder", wall, "s")
    report.add("CPU of one ffmpeg command", cpu, "CPU s")
    report.add("CPU of the whole pipeline / one ffmpeg command", pipeline_cpu / cpu, "ratio")


if __name__ == "__main__":
    main()
