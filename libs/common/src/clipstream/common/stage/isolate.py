"""Runs a function on untrusted media in a caged child process, and answers the child's questions while it lives.

The parent keeps what the child must not have: the network, the credentials, the object store. The child asks for ranges
of one object and says how far it is; whatever else it says is checked. See docs/adr/0008-caged-children.md."""

from __future__ import annotations

import asyncio
import json
import math
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

import structlog

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Conflict, Outage, Transient
from clipstream.common.stage.call import Call, error_from, source_root
from clipstream.common.stage.channel import EXACT, FRACTION, HEADER, LARGEST, LARGEST_READ, READ, Kind
from clipstream.common.stage.context import Limits
from clipstream.common.stage.outputs import Outputs, Take, outputs
from clipstream.common.stage.process import Child, Spares
from clipstream.common.store.objects import ObjectInfo

T = TypeVar("T")
ReadRange = Callable[[int, int], Awaitable[bytes]]

_log = structlog.get_logger(__name__)
_warned: set[str] = set()


class RangeStore(Protocol):
    """The little of an `ObjectStore` that a child is served from."""

    async def head(self, key: ObjectKey) -> ObjectInfo: ...

    async def read_range(self, key: ObjectKey, offset: int, length: int, *, etag: str | None = None) -> bytes: ...


async def isolate(
    target: Callable[..., T],
    *,
    store: RangeStore | None = None,
    source: ObjectKey | None = None,
    scratch: Path,
    limits: Limits | None = None,
    progress: Callable[[float], None] | None = None,
    take: Take | None = None,
    spares: Spares | None = None,
    **arguments: object,
) -> T:
    """Call `target` in a child of its own; the contract is `StageContext.isolate`. `spares` may have one waiting.

    A target parameter named `scratch` receives that directory, one named `progress` a function that calls ours.
    """
    call = Call(target, arguments)
    limits = limits or Limits()
    read, size = (None, None) if source is None or store is None else await _opened(store, source)
    job = _job(call, scratch, size, limits)
    async with (spares or Spares()).child(call.module) as child:
        try:
            async with asyncio.timeout(limits.wall.total_seconds()) as wall, outputs(scratch, take) as made:
                body = await _answer(child, job, read, progress or (lambda _: None), made)
        except TimeoutError as error:
            if not wall.expired():
                raise
            raise _failed(
                child, call, f"took longer than the {_seconds(limits.wall.total_seconds())} it may"
            ) from error
        except _Gone as error:
            raise _failed(child, call, await _last_words(child, limits)) from error
        except _Nonsense as error:
            raise _failed(child, call, "broke the protocol and was stopped") from error
        except _Raised as error:
            if error.out_of_memory:
                raise _failed(child, call, f"needed more than {_size(limits.memory_bytes)} of memory") from error
            ours = error_from(error.described)
            _log.info("child_raised", target=call.name, error=type(ours).__name__, reason=str(ours))
            if type(ours) is Transient:
                _log.warning("child_output", target=call.name, output=child.output.decode(errors="replace"))
            raise ours from None
    spent, _, value = body.partition(b"\n")
    _log.debug("child_finished", target=call.name, spent=spent.decode(errors="replace"))
    return call.result(value, scratch)


def _job(call: Call[T], scratch: Path, source_size: int | None, limits: Limits) -> bytes:
    job = {
        "module": call.module,
        "name": call.name,
        "arguments": call.arguments,
        "sources": [source_root(call.module)],
        "scratch": str(scratch.resolve()),
        "source_size": source_size,
        "nice": limits.nice,
        "devices": limits.devices,
        "bounds": {
            "cpu_s": math.ceil(limits.cpu.total_seconds()),
            "memory_bytes": limits.memory_bytes,
            "file_bytes": limits.file_bytes,
            "open_files": limits.open_files,
        },
    }
    return json.dumps(job).encode()


class _Gone(Exception):
    """The child ended before it had an answer."""


class _Nonsense(Exception):
    """The child said something that no honest child says."""


class _Raised(Exception):
    """The function in the child raised."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        try:
            self.described = json.loads(body)
            self.out_of_memory = bool(self.described["memory"])
            error_from(self.described)
        except (ValueError, TypeError, KeyError) as error:
            raise _Nonsense from error


async def _opened(store: RangeStore, key: ObjectKey) -> tuple[ReadRange, int]:
    """How to read one object, pinned to the content it has now, and its size."""
    info = await store.head(key)

    async def read(offset: int, length: int) -> bytes:
        try:
            return await store.read_range(key, offset, length, etag=info.etag)
        except Conflict as error:
            raise Transient("the object was replaced while it was being read") from error

    return read, info.size_bytes


async def _answer(
    child: Child, job: bytes, read: ReadRange | None, progress: Callable[[float], None], made: Outputs
) -> bytes:
    """Serve the child until it has a result."""
    try:
        child.writer.write(HEADER.pack(Kind.JOB.value, len(job)) + job)
        caged = False
        while True:
            kind, payload = await _frame(child.reader)
            if kind is Kind.UNSAFE and not caged:
                raise Outage(payload.decode(errors="replace"))
            if kind is Kind.CAGED and not caged:
                caged = True
                _warn_once(json.loads(payload))
            elif kind is Kind.READ and read is not None:
                offset, length = READ.unpack(payload)
                body = await read(offset, min(length, LARGEST_READ))
                child.writer.write(HEADER.pack(Kind.DATA.value, len(body)))
                child.writer.write(body)
                await child.writer.drain()
            elif kind is Kind.MADE:
                await made.put(payload)
                child.writer.write(HEADER.pack(Kind.DATA.value, 0))
            elif kind is Kind.PROGRESS:
                progress(min(1.0, max(0.0, FRACTION.unpack(payload)[0])))
            elif kind is Kind.RESULT:
                return payload
            else:
                raise _Raised(payload) if kind is Kind.ERROR else _Nonsense
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise _Gone from error


async def _frame(reader: asyncio.StreamReader) -> tuple[Kind, bytes]:
    tag, length = HEADER.unpack(await reader.readexactly(HEADER.size))
    try:
        kind = Kind(tag)
    except ValueError as error:
        raise _Nonsense from error
    most = LARGEST.get(kind, 0)
    if length > most or (kind in EXACT and length != most):
        raise _Nonsense
    return kind, await reader.readexactly(length)


async def _last_words(child: Child, limits: Limits) -> str:
    """Why a child ended without an answer, for an operator."""
    try:
        async with asyncio.timeout(2):
            code = await child.process.wait()
    except TimeoutError:
        return "closed its channel without a result"
    if code >= 0:
        return f"ended without a result (exit status {code})"
    name = signal.Signals(-code).name
    return {
        "SIGXCPU": f"used more than the {_seconds(limits.cpu.total_seconds())} of CPU time it may",
        "SIGXFSZ": f"wrote a file larger than {_size(limits.file_bytes)}",
        "SIGKILL": "was killed (SIGKILL), most likely because the machine ran out of memory",
    }.get(name, f"crashed ({name})")


def _failed(child: Child, call: Call[T], what: str) -> Transient:
    _log.warning("child_failed", target=call.name, reason=what, output=child.output.decode(errors="replace"))
    return Transient(f"decoder {what}")


def _warn_once(closed: dict[str, object]) -> None:
    if not closed["landlock"] and "landlock" not in _warned:
        _warned.add("landlock")
        _log.warning(
            "landlock_missing",
            effect="decoders have no network and start no programs, but could read files of this account; "
            "a kernel from 5.13 on with Landlock enabled closes that",
        )
    if closed["network"] != "seccomp" and "seccomp" not in _warned:
        _warned.add("seccomp")
        _log.warning("seccomp_missing", effect="an empty network namespace is used; install libseccomp2")


def _seconds(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"


def _size(count: int) -> str:
    return f"{count / (1 << 30):.3g} GiB" if count >= 1 << 30 else f"{count / (1 << 20):.3g} MiB"
