"""Child processes that never outlive this one, and those that an earlier run left behind all the same."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from clipstream.standalone.errors import CannotStart


def spawn(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    death_signal: str,
    prefix: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, its output appended to `log`; when this process ends in any way, even
    killed, the kernel sends the child `death_signal` (a name such as "TERM"). `prefix` (a change of user, say) goes
    before: the kernel forgets the death signal whenever credentials change."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise CannotStart("The command setpriv is missing: install the package util-linux.")
    line = [*prefix, setpriv, "--pdeathsig", death_signal, "--", *command]
    with log.open("ab") as output:
        started = _spawner(os.getpid()).submit(
            subprocess.Popen,
            line,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return started.result()
        except KeyboardInterrupt:
            started.result().kill()  # nobody would know of it
            raise


def run_to_end(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a tool that reads nothing and comes back by itself; what it printed is in the answer, whatever its status."""
    return subprocess.run(
        command,
        env=env,
        cwd=cwd,
        timeout=timeout_s,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@cache
def _spawner(pid: int) -> ThreadPoolExecutor:
    """One thread per process starts every child, and lives as long as the process does: the death signal is bound to
    the thread that forked (prctl(2), PR_SET_PDEATHSIG), so a caller's short-lived thread would take its child along."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"spawner-{pid}")


def running_in(directory: Path, executables: Collection[str]) -> list[int]:
    """Processes of these programs that work in `directory` or below. Unlike a number in a file this cannot name a
    stranger: a recycled process id works elsewhere."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            program = (entry / "exe").readlink().name.removesuffix(" (deleted)")
            if program in executables and (entry / "cwd").readlink().is_relative_to(directory):
                found.append(int(entry.name))
        except OSError:
            continue  # it ended meanwhile, or belongs to somebody else
    return found


def marked(name: str, value: str) -> list[int]:
    """Processes other than this one that were started with `name=value` in their environment, or by one that was."""
    mark = f"{name}={value}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def end(pids: Iterable[int], patience_s: float) -> None:
    """Ask processes that are not our children to end, and kill those that still run after `patience_s`."""
    left = _signalled(pids, signal.SIGTERM)
    left = _await_end(left, patience_s)
    _await_end(_signalled(left, signal.SIGKILL), patience_s)


def _signalled(pids: Iterable[int], what: signal.Signals) -> list[int]:
    reached = []
    for pid in pids:
        try:
            os.kill(pid, what)
            reached.append(pid)
        except ProcessLookupError:
            continue
    return reached


def _await_end(pids: list[int], patience_s: float) -> list[int]:
    deadline = time.monotonic() + patience_s
    while pids and time.monotonic() < deadline:
        time.sleep(0.02)
        pids = [pid for pid in pids if _runs(pid)]
    return pids


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    # Fields of proc(5) from the third on. A process that has ended waits as a zombie for its parent; where it had
    # threads, it is over, and its sockets are closed, only when they are gone too.
    fields = status.rpartition(")")[2].split()
    return fields[0] not in "ZX" or int(fields[17]) > 1
