"""The cage around a child that decodes untrusted media: bounded resources, no files but its own, no network, no programs.

Runs inside the child, before anything of the job is imported. Landlock closes the files, seccomp the system calls; where
a machine has no seccomp an empty network namespace takes its place, and without either the child refuses to work."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from clipstream.common.stage import landlock, syscalls

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

SYSTEM_READABLE = (
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/dev/null",
    "/dev/urandom",
    "/sys/devices/system/cpu",
)


class Unsafe(Exception):
    """This machine cannot hold a decoder; the message says what to install or allow."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Resource limits in the units of setrlimit(2)."""

    cpu_s: int
    memory_bytes: int
    file_bytes: int
    open_files: int


@dataclass(frozen=True, slots=True)
class Closed:
    """What holds: the Landlock ABI (0 = files are not closed), and what closes the network."""

    landlock: int
    network: str


def die_with_parent(parent: int) -> None:
    """SIGKILL for this process when its parent dies, however it dies."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def close(bounds: Bounds, *, scratch: str, sources: Iterable[str], devices: Collection[str] = ()) -> Closed:
    """Shut this process in for good. `sources` are directories that modules are imported from; `devices` those of
    `Limits`, and with any of them the calls that drivers need are left open, too."""
    seccomp_missing = _seccomp_missing()
    if seccomp_missing:
        _leave_network(seccomp_missing)
    _limit(bounds, reserving=bool(devices))
    landlock.no_new_privileges()
    try:
        readable = [*SYSTEM_READABLE, *python_paths(), *sources]
        abi = landlock.confine(readable=readable, writable=[scratch], devices=devices)
    except OSError:
        abi = 0
    if seccomp_missing:
        return Closed(landlock=abi, network="namespace")
    try:
        syscalls.restrict(drivers=bool(devices))
    except syscalls.NoFilter as error:
        _leave_network(str(error))
        return Closed(landlock=abi, network="namespace")
    return Closed(landlock=abi, network="seccomp")


def python_paths() -> list[str]:
    """Where this interpreter finds its standard library, its packages and our own code."""
    return [path for path in sys.path if path] + [os.path.dirname(os.__file__)]  # noqa: PTH120 - pathlib costs 5 ms here


def _seccomp_missing() -> str:
    try:
        syscalls.library()
    except syscalls.NoFilter as error:
        return str(error)
    return ""


def _leave_network(reason: str) -> None:
    """An empty network namespace, which needs a user namespace of our own unless we are root."""
    if _libc.unshare(_CLONE_NEWNET) and _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET):
        problem = os.strerror(ctypes.get_errno())
        raise Unsafe(
            f"untrusted media is not decoded here, because nothing on this machine can cut a decoder off the network: "
            f"{reason}, and there is no network namespace to be had ({problem}). Install libseccomp2 (Debian, Ubuntu) "
            f"or allow unprivileged user namespaces."
        )


def _limit(bounds: Bounds, *, reserving: bool) -> None:
    """Drivers of graphics cards reserve more addresses than any machine has memory: then only what is written to counts."""
    memory = resource.RLIMIT_DATA if reserving else resource.RLIMIT_AS
    limits = {
        memory: (bounds.memory_bytes, bounds.memory_bytes),
        resource.RLIMIT_CPU: (bounds.cpu_s, bounds.cpu_s + 2),
        resource.RLIMIT_FSIZE: (bounds.file_bytes, bounds.file_bytes),
        resource.RLIMIT_NOFILE: (bounds.open_files, bounds.open_files),
        resource.RLIMIT_CORE: (0, 0),
    }
    for which, (soft, hard) in limits.items():
        ceiling = resource.getrlimit(which)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(which, (soft, hard))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it; the parent wants to see what ended us
