"""What a decoder might do once a crafted file has taken it over. Each function runs in a caged child and tells what worked:
an empty answer means that the cage held."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import resource
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from clipstream.common.errors import EncoderFailed, Outage, Permanent, Rejected, Transient


def _worked(attempts: dict[str, Callable[[], object]]) -> list[str]:
    done = []
    for name, attempt in attempts.items():
        try:
            attempt()
        except OSError:
            continue
        done.append(name)
    return done


def open_sockets(port: int) -> list[str]:
    """Every family, and a connection to a port of this machine that listens."""
    families = {f.name: f for f in socket.AddressFamily}
    attempts: dict[str, Callable[[], object]] = {
        name: partial(socket.socket, family, socket.SOCK_STREAM) for name, family in families.items()
    }
    attempts["AF_INET datagram"] = lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    attempts["pair"] = socket.socketpair
    attempts["connection"] = lambda: socket.create_connection(("127.0.0.1", port), timeout=1)
    return _worked(attempts)


def open_files(paths: list[str]) -> list[str]:
    return _worked({path: Path(path).read_bytes for path in paths})


def use_devices(paths: list[str]) -> list[str]:
    """Devices that are opened to be written to, and whose driver answers: that it does not know the request."""

    def ask(path: str) -> None:
        device = os.open(path, os.O_RDWR)
        try:
            fcntl.ioctl(device, 0x5AFE)
        except OSError as error:
            if error.errno != errno.ENOTTY:
                raise
        finally:
            os.close(device)

    return _worked({path: partial(ask, path) for path in paths})


def write_files(paths: list[str], scratch: Path) -> list[str]:
    attempts: dict[str, Callable[[], object]] = {path: partial(Path(path).write_text, "x") for path in paths}
    attempts["symlink"] = lambda: (scratch / "link").symlink_to("/etc/passwd")
    attempts["hard link"] = lambda: os.link("/etc/passwd", scratch / "hard")
    attempts["device"] = lambda: os.mknod(scratch / "null", 0o020666, os.makedev(1, 3))
    attempts["chmod"] = lambda: scratch.chmod(0o777)
    return _worked(attempts)


def start_programs() -> list[str]:
    def fork() -> None:
        if os.fork() == 0:
            os._exit(0)

    return _worked(
        {
            "subprocess": lambda: subprocess.run(["/bin/true"], check=False),
            "exec": lambda: os.execv("/bin/true", ["/bin/true"]),  # noqa: S606
            "fork": fork,
            "spawn": lambda: os.posix_spawn("/bin/true", ["/bin/true"], {}),
        }
    )


def attack_processes(victim: int) -> list[str]:
    """Signals to, limits of and memory of another process of the same user; namespaces, mounts, tracing."""
    libc = ctypes.CDLL(None, use_errno=True)

    def call(name: str, *arguments: object) -> None:
        if getattr(libc, name)(*arguments) == -1:
            raise OSError(ctypes.get_errno(), name)

    return _worked(
        {
            "kill": lambda: os.kill(victim, 0),
            "tgkill": lambda: call("tgkill", victim, victim, 0),
            "killpg": lambda: os.killpg(os.getpgid(victim), 0),
            "prlimit": lambda: resource.prlimit(victim, resource.RLIMIT_CORE),
            "ptrace": lambda: call("ptrace", 16, victim, 0, 0),
            "unshare": lambda: call("unshare", 0x10000000),
            "mount": lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
            "chroot": lambda: call("chroot", b"."),
            "setuid": lambda: call("setuid", 0),
            "undumpable": lambda: call("prctl", 4, 1, 0, 0, 0),
        }
    )


def surroundings() -> dict[str, str]:
    """The environment, and what else was inherited."""
    found = dict(os.environ)  # noqa: TID251 - what a child sees is what is asked here
    descriptors = [fd for fd in range(256) if _is_open(fd)]
    return found | {
        "descriptors": ",".join(map(str, descriptors)),
        "umask": oct(os.umask(0o077)),
        "cwd": str(Path.cwd()),
    }


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def compute_in_threads() -> int:
    """What must go on working: threads, numpy, libav, clocks, random numbers."""
    import av
    import numpy as np

    total = []
    threads = [threading.Thread(target=lambda: total.append(int(np.ones((200, 200)).sum()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(total) + len(os.urandom(4)) + len(av.codecs_available) * 0


def take_memory() -> int:
    return len([bytearray(64 << 20) for _ in range(1000)])


def reserve(gibibytes: int) -> str:
    """Addresses without memory behind them, as the driver of a graphics card takes them."""
    mmap.mmap(-1, gibibytes << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=0).close()
    return "reserved"


def loop() -> None:
    while True:
        pass


def sleep(scratch: Path) -> None:
    """Says who it is first."""
    part = scratch / "pid.part"
    part.write_text(str(os.getpid()))
    part.rename(scratch / "pid")
    time.sleep(60)


def segfault() -> None:
    ctypes.string_at(0)


def abort() -> None:
    os.abort()


def leave(status: int) -> None:
    os._exit(status)


def print_much(mebibytes: int) -> int:
    for _ in range(mebibytes):
        sys.stdout.write("x" * (1 << 20))
        sys.stderr.write("y" * (1 << 20))
    return mebibytes


def print_then_crash() -> None:
    sys.stderr.write("the last words of a decoder\n")
    sys.stderr.flush()
    os.abort()


def return_much(mebibytes: int) -> str:
    return "x" * (mebibytes << 20)


def write_much(scratch: Path) -> None:
    with (scratch / "large").open("wb") as file:
        for _ in range(100):
            file.write(bytes(1 << 20))


def open_many(scratch: Path) -> int:
    return len([(scratch / str(number)).open("w") for number in range(1000)])


def speak_nonsense(frame: str) -> None:
    """Raw bytes into the channel, as a taken-over child could send them."""
    os.write(int(sys.argv[1]), bytes.fromhex(frame))
    time.sleep(30)


def ask_for_a_file() -> bytes:
    os.write(int(sys.argv[1]), b"R" + struct.pack("!IQI", 12, 0, 100))
    time.sleep(30)
    return b""


def report(progress: Callable[[float], None]) -> str:
    for step in range(5):
        progress(step / 4)
        time.sleep(0.25)
    progress(float("nan"))
    progress(1e300)
    return "done"


@dataclass(frozen=True)
class Found:
    """A result with a path inside."""

    name: str
    files: list[Path]


def produce(name: str, scratch: Path) -> Found:
    (scratch / name).write_text("made here")
    return Found(name, [scratch / name])


def claim(paths: list[Path]) -> Found:
    """Files that were never made here, for the parent to publish."""
    return Found("claimed", paths)


def lie() -> int:
    return "not a number"  # type: ignore[return-value]


def fail(how: str) -> None:
    from datetime import timedelta

    raise {
        "rejected": Rejected("This is no clip."),
        "permanent": Permanent("It never works."),
        "transient": Transient("Try later.", retry_after=timedelta(seconds=7)),
        "encoder": EncoderFailed("The card is gone."),
        "outage": Outage("The store is away, says the child."),
        "unknown": KeyError("surprise"),
    }[how]


def digest(source: BinaryIO, *, jumps: list[tuple[int, int]]) -> list[str]:
    """Hashes of parts of the source object, and of all of it."""
    import hashlib

    parts = []
    for offset, length in jumps:
        source.seek(offset)
        parts.append(hashlib.sha256(source.read(length)).hexdigest())
    source.seek(0)
    whole = hashlib.sha256()
    while piece := source.read(100_000):
        whole.update(piece)
    return [*parts, whole.hexdigest()]


def make_files(*, scratch: Path, count: int, emit: Callable[[Path], None], progress: Callable[[float], None]) -> int:
    for number in range(count):
        (scratch / f"{number}.bin").write_bytes(bytes([number % 256]) * 1000)
        emit(Path(f"{number}.bin"))
        progress((number + 1) / count)
    return count


def hand_over(*, name: str, emit: Callable[[Path], None]) -> None:
    emit(Path(name))


def my_pid() -> int:
    return os.getpid()
