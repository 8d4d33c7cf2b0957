"""Landlock, the kernel's own file barrier for unprivileged processes (https://docs.kernel.org/userspace-api/landlock.html).
The C library has no wrappers for it, so the three system calls are made by number; those are the same on every machine."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH = 1
_VERSION_FLAG = 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (1 << bit for bit in range(6))
_MAKE_DIR, _MAKE_REG, _REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 7, 1 << 8, 1 << 13, 1 << 14, 1 << 15
_READ = _READ_FILE | _READ_DIR
_WRITE = _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER | _TRUNCATE
_USE = _READ_FILE | _WRITE_FILE | _IOCTL_DEVICE
_ON_FILES = _EXECUTE | _USE | _TRUNCATE
_FILE_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # how many of the lowest bits an ABI knows

_libc = ctypes.CDLL(None, use_errno=True)


def no_new_privileges() -> None:
    """From now on no exec can gain rights. Needed before Landlock and seccomp, and good without them."""
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs could not be set")


def version() -> int:
    """The ABI that the kernel speaks; 0 where it has no Landlock or does not let us use it."""
    return int(max(0, _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG)))


def confine(*, readable: Iterable[str], writable: Iterable[str], devices: Iterable[str] = ()) -> int:
    """Close every file to this thread, and to those it starts, but what lies below `readable` and `writable`. Of `devices`,
    device files are used in full, what else is named is read.

    Also closes TCP, abstract sockets and signals to others where the ABI knows them. Returns the ABI; 0 = nothing done.
    Not granted anywhere: executing, links, sockets and other device files. Paths that do not exist are left out."""
    abi = version()
    if not abi:
        return 0
    handled = (1 << _FILE_RIGHTS_BY_ABI.get(abi, 16)) - 1
    network = 0b11 if abi >= 4 else 0
    scoped = 0b11 if abi >= 6 else 0
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    ruleset = _call(_CREATE_RULESET, struct.pack("QQQ", handled, network, scoped)[:size], ctypes.c_size_t(size), 0)
    try:
        for path in readable:
            _allow(ruleset, path, _READ & handled)
        for path in writable:
            _allow(ruleset, path, _WRITE & handled)
        for path in devices:
            _allow(ruleset, path, _READ & handled, on_devices=_USE & handled)
        no_new_privileges()
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return abi


def _allow(ruleset: int, path: str, rights: int, *, on_devices: int = 0) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        kind = os.fstat(beneath).st_mode
        if stat.S_ISCHR(kind):
            rights |= on_devices
        if not stat.S_ISDIR(kind):
            rights &= _ON_FILES
        _call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", rights, beneath), 0)
    finally:
        os.close(beneath)


def _call(number: int, *arguments: object) -> int:
    result = _libc.syscall(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock refused: {os.strerror(code)}")
    return int(result)
