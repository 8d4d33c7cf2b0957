"""What processes cost, read from /proc: CPU seconds with ended children, and peak memory."""

from __future__ import annotations

import os
import resource
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
SAMPLE_S = 0.05


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of all its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS


class PeakMemory(threading.Thread):
    """Samples the resident memory of services and their descendants, in MB, until `stop`."""

    def __init__(self, services: Mapping[str, int]) -> None:
        super().__init__(daemon=True)
        self._services, self._ended = services, threading.Event()
        self.peak_mb: dict[str, float] = dict.fromkeys(services, 0.0)

    def run(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            resident, parents = _snapshot()
            for name, pid in self._services.items():
                total = sum(mb for process, mb in resident.items() if _descends(process, pid, parents))
                self.peak_mb[name] = max(self.peak_mb[name], total)

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _snapshot() -> tuple[dict[int, float], dict[int, int]]:
    resident, parents = {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = dict(line.split(":", 1) for line in (entry / "status").read_text().splitlines() if ":" in line)
        except OSError:
            continue  # it ended meanwhile
        parents[int(entry.name)] = int(status["PPid"])
        resident[int(entry.name)] = int(status.get("VmRSS", "0 kB").split()[0]) / 1000
    return resident, parents


def _descends(process: int, ancestor: int, parents: Mapping[int, int]) -> bool:
    while process > 1:
        if process == ancestor:
            return True
        process = parents.get(process, 0)
    return False


def timed(command: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of a whole command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - start
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@dataclass(frozen=True, slots=True)
class Cost:
    """What a program cost with all its descendants: `peak_mb` is what the largest one process of them held."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def cost(*commands: list[str], cores: Iterable[int] = ()) -> Cost:
    """Run programs beside each other, held to `cores` where any are named, until all have ended."""
    held = set(cores) or os.sched_getaffinity(0)
    start = time.monotonic()
    running = [_started(command, held) for command in commands]
    usages = [_ended(process) for process in running]
    return Cost(
        wall_s=time.monotonic() - start,
        cpu_s=sum(usage.ru_utime + usage.ru_stime for usage in usages),
        peak_mb=max(usage.ru_maxrss for usage in usages) * 1024 / 1_000_000,
    )


def _started(command: list[str], cores: set[int]) -> subprocess.Popen[bytes]:
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)  # inherited by what is started now
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    finally:
        os.sched_setaffinity(0, everywhere)


def _ended(process: subprocess.Popen[bytes]) -> resource.struct_rusage:
    """wait4(2) counts the process and every descendant that was waited for."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return usage


def resident_mb(pid: int) -> float:
    """The memory that a process holds now, in MB."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(status["VmRSS"].split()[0]) / 1000
