"""The system calls that decoding needs, as a seccomp filter: what is not named here does not exist for a caged child.

An unnamed call answers ENOSYS, as an older kernel would, so that the C library takes its own fallback; what an attacker
would reach for first answers EPERM. Files are opened freely here: which ones is Landlock's business."""

from __future__ import annotations

import ctypes.util
import errno
import os
from importlib import import_module
from types import ModuleType

_MEMORY = "brk mmap munmap mremap mprotect madvise msync mincore membarrier mlock munlock"
_THREADS = (
    "futex set_robust_list get_robust_list rseq set_tid_address arch_prctl sched_yield sched_getaffinity sched_getparam "
    "sched_getscheduler sched_get_priority_max sched_get_priority_min gettid exit exit_group getcpu"
)
_FILES = (
    "open openat creat close close_range read readv pread64 preadv write writev pwrite64 pwritev lseek fstat stat lstat "
    "newfstatat statx access faccessat faccessat2 readlink readlinkat getcwd getdents64 mkdir mkdirat rmdir unlink unlinkat "
    "rename renameat renameat2 truncate ftruncate fallocate fsync fdatasync fadvise64 sync_file_range copy_file_range "
    "sendfile dup dup2 dup3 fcntl flock umask pipe pipe2 poll ppoll select pselect6 fstatfs"
)
_SELF = "getpid getppid getuid geteuid getgid getegid getpgrp getrusage getrlimit uname sysinfo times getrandom"
_TIME = "clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time restart_syscall"
_SIGNALS = "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait sigaltstack"
_DRIVERS = "ioctl eventfd2 memfd_create get_mempolicy set_mempolicy mbind sched_setaffinity"
_HOSTILE = (
    "socket socketpair connect bind listen accept accept4 sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg "
    "execve execveat fork vfork kill tkill pidfd_open pidfd_send_signal pidfd_getfd ptrace process_vm_readv "
    "process_vm_writev mount umount2 pivot_root chroot unshare setns kexec_load kexec_file_load init_module finit_module "
    "bpf perf_event_open io_uring_setup io_uring_enter io_uring_register keyctl add_key request_key userfaultfd "
    "symlink symlinkat link linkat mknod mknodat chmod fchmod fchmodat chown fchown lchown fchownat setuid setgid "
    "name_to_handle_at open_by_handle_at"
)

ALLOWED = " ".join((_MEMORY, _THREADS, _FILES, _SELF, _TIME, _SIGNALS)).split()
REFUSED = _HOSTILE.split()

_CLONE_THREAD = 0x10000
_TERMINAL_REQUESTS = (0x5401, 0x5421, 0x541B, 0x5451)  # TCGETS (isatty), FIONBIO, FIONREAD, FIOCLEX
_PRCTL_NAMING = (15, 16, 0x53564D41)  # set and get a thread's name, name a mapping


class NoFilter(Exception):
    """Seccomp cannot be used on this machine; the message says why."""


def library() -> ModuleType:
    """pyseccomp, imported without its search for libraries: that starts processes, and takes 25 of 30 ms."""
    found = ctypes.util.find_library
    ctypes.util.find_library = {"seccomp": "libseccomp.so.2"}.get  # type: ignore[assignment]
    try:
        return import_module("pyseccomp")
    except (ImportError, OSError, RuntimeError) as error:
        raise NoFilter(f"libseccomp could not be loaded ({error})") from error
    finally:
        ctypes.util.find_library = found


def restrict(*, drivers: bool = False) -> None:
    """Load the filter into every thread of this process, for good. `drivers` leaves open what the libraries of graphics
    cards call; on which devices is Landlock's business, too."""
    seccomp = library()
    try:
        rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.ENOSYS))
        rules.set_attr(seccomp.Attr.CTL_TSYNC, 1)
        for name in [*ALLOWED, *(_DRIVERS.split() if drivers else ())]:
            _rule(seccomp, rules, seccomp.ALLOW, name)
        for name in REFUSED:
            _rule(seccomp, rules, seccomp.ERRNO(errno.EPERM), name)
        _allow_by_argument(seccomp, rules)
        if not drivers:
            _allow_terminal_requests(seccomp, rules)
        rules.load()
    except OSError as error:
        raise NoFilter(f"the kernel refused the seccomp filter ({error})") from error


def _allow_by_argument(seccomp: ModuleType, rules: object) -> None:
    """Calls that are harmless with some arguments only: threads but no processes, oneself but nobody else."""
    first = 0
    thread = seccomp.Arg(first, seccomp.MASKED_EQ, _CLONE_THREAD, _CLONE_THREAD)
    process = seccomp.Arg(first, seccomp.MASKED_EQ, _CLONE_THREAD, 0)
    _rule(seccomp, rules, seccomp.ALLOW, "clone", thread)
    _rule(seccomp, rules, seccomp.ERRNO(errno.EPERM), "clone", process)
    _rule(seccomp, rules, seccomp.ALLOW, "tgkill", seccomp.Arg(first, seccomp.EQ, os.getpid()))
    _rule(seccomp, rules, seccomp.ALLOW, "prlimit64", seccomp.Arg(first, seccomp.EQ, 0))
    for option in _PRCTL_NAMING:
        _rule(seccomp, rules, seccomp.ALLOW, "prctl", seccomp.Arg(first, seccomp.EQ, option))


def _allow_terminal_requests(seccomp: ModuleType, rules: object) -> None:
    second = 1
    for request in _TERMINAL_REQUESTS:
        _rule(seccomp, rules, seccomp.ALLOW, "ioctl", seccomp.Arg(second, seccomp.EQ, request))


def _rule(seccomp: ModuleType, rules: object, action: int, name: str, *arguments: object) -> None:
    number = seccomp.resolve_syscall(seccomp.Arch.NATIVE, name)
    if number >= 0:  # below: this kind of machine has no such call
        rules.add_rule(action, number, *arguments)  # type: ignore[attr-defined]
