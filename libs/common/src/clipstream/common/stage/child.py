"""The caged child: `python -I -m clipstream.common.stage.child FD PARENT`. It shuts itself in, runs one function, says
what came of it over the descriptor, and ends. Started by stage/isolate.py and by nothing else."""

from __future__ import annotations

import inspect
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, get_type_hints

from clipstream.common.stage import cage
from clipstream.common.stage.channel import FRACTION, LARGEST, Channel, Kind

PROGRESS_EVERY_S = 0.2


def main() -> None:
    channel = Channel(int(sys.argv[1]))
    cage.die_with_parent(int(sys.argv[2]))
    _import_ahead(sys.argv[3:])
    job = json.loads(channel.receive())
    os.nice(job["nice"])
    os.chdir(job["scratch"])
    os.environ.update(HOME=job["scratch"], TMPDIR=job["scratch"])  # noqa: TID251 - written, not read
    try:
        bounds = cage.Bounds(**job["bounds"])
        closed = cage.close(bounds, scratch=job["scratch"], sources=job["sources"], devices=job["devices"])
    except cage.Unsafe as error:
        channel.send(Kind.UNSAFE, str(error).encode())
        os._exit(0)
    channel.send(Kind.CAGED, json.dumps({"landlock": closed.landlock, "network": closed.network}).encode())
    try:
        kind, payload = Kind.RESULT, _run(job, channel)
        if len(payload) > LARGEST[kind]:
            raise ValueError(f"the result is too large: {len(payload)} bytes, {LARGEST[kind]} are allowed")
    except BaseException as error:
        kind, payload = Kind.ERROR, _described(error)
    channel.send(kind, payload)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # the interpreter's own farewell frees what the kernel frees faster


def _import_ahead(module: list[str]) -> None:
    """What a waiting child does meanwhile. Our own code alone: nothing that came from outside has reached this process."""
    if module:
        root, name = module
        sys.path.append(root)
        with suppress(Exception):  # the job imports it again, and says why it cannot
            import_module(name)


def _run(job: dict[str, Any], channel: Channel) -> bytes:
    sys.path.extend(job["sources"])
    target: Callable[..., object] = getattr(import_module(job["module"]), job["name"])
    from pydantic import TypeAdapter

    hints = get_type_hints(target, include_extras=True)
    arguments: dict[str, object] = {
        name: TypeAdapter(hints[name]).validate_json(json.dumps(value)) for name, value in job["arguments"].items()
    }
    parameters = inspect.signature(target).parameters
    if "progress" in parameters:
        arguments["progress"] = _progress(channel)
    if "scratch" in parameters:
        arguments["scratch"] = Path(job["scratch"])
    if "emit" in parameters:
        arguments["emit"] = lambda file: channel.hand_over(str(file))
    source = [] if job["source_size"] is None else [_source(channel, job["source_size"])]
    result = target(*source, **arguments)
    value = TypeAdapter(hints["return"]).dump_json(result)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = {"cpu_s": round(usage.ru_utime + usage.ru_stime, 3), "peak_rss_mb": usage.ru_maxrss >> 10}
    return json.dumps(spent).encode() + b"\n" + value


def _source(channel: Channel, size: int) -> BinaryIO:
    from clipstream.common.media.ranges import open_ranges

    return open_ranges(channel.read_source, size)


def _progress(channel: Channel) -> Callable[[float], None]:
    last = 0.0

    def progress(fraction: float) -> None:
        nonlocal last
        now = time.monotonic()
        if fraction >= 1.0 or now - last >= PROGRESS_EVERY_S:
            last = now
            channel.send(Kind.PROGRESS, FRACTION.pack(fraction))

    return progress


def _described(error: BaseException) -> bytes:
    """The error for the parent; the traceback goes to stderr, which the parent logs."""
    traceback.print_exception(error)
    retry_after = getattr(error, "retry_after", None)
    described = {
        "module": type(error).__module__,
        "name": type(error).__name__,
        "message": str(error)[:4096],
        "memory": isinstance(error, MemoryError),
        "retry_after_s": retry_after.total_seconds() if retry_after else None,
    }
    return json.dumps(described).encode()


if __name__ == "__main__":
    main()
