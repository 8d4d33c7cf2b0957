"""`python -m clipstream.standalone run|demo|stop|status`, in the directory of the repository."""

from __future__ import annotations

import argparse
import asyncio
import resource
import signal
import sys
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from clipstream.standalone import endpoints, minio, plan, rabbitmq
from clipstream.standalone.environment import inherited
from clipstream.standalone.errors import StandaloneError
from clipstream.standalone.run import Run, stop
from clipstream.standalone.supervisor import is_healthy

_MOST_COPIES = 32
_OPEN_FILES = 65_536
console = Console(highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        return int(given.command(given))
    except StandaloneError as problem:
        console.print(str(problem), style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(given: argparse.Namespace) -> int:
    try:
        with _prepared(given, demo=False) as run:
            console.print(f"Clipstream is up at {run.site.gateway} (Ctrl-C stops it).")
            threading.Event().wait()
    except KeyboardInterrupt:
        console.print("Clipstream has stopped.")
    return 0


def _demo(given: argparse.Namespace) -> int:
    from clipstream.standalone.demo.run import demonstrate  # its clips need more than a run does

    with _prepared(given, demo=True) as run:
        return 0 if _beside(demonstrate(run.site.gateway, run.directory / "samples")) else 1


def _beside(work: Coroutine[object, object, bool]) -> bool:
    """Run a coroutine in a thread of its own: this one takes the signals, and an interruption cancels the work."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    with ThreadPoolExecutor(1) as threads:
        result = threads.submit(loop.run_until_complete, task)
        try:
            return result.result()
        except KeyboardInterrupt:
            loop.call_soon_threadsafe(task.cancel)
            raise


def _stop(given: argparse.Namespace) -> int:
    console.print("Clipstream has stopped." if stop(given.root) else "Clipstream is not running here.")
    return 0


def _status(given: argparse.Namespace) -> int:
    found = endpoints.read(given.root / ".run/endpoints.json")
    if found is None:
        console.print("Clipstream is not running here.")
        return 3
    healthy = {name: is_healthy(service["health"]) for name, service in found["services"].items()}
    console.print(f"Clipstream is up at {found['gateway']}.")
    for name, well in healthy.items():
        console.print(f"  {name:<14} {'healthy' if well else 'unhealthy'}")
    return 0 if all(healthy.values()) else 1


def _fetch(given: argparse.Namespace) -> int:
    tools = given.root.resolve() / ".tools"
    for name, bring in (
        ("RabbitMQ", rabbitmq.installation),
        ("MinIO (built from source, minutes)", minio.installation),
    ):
        console.print(f"Making sure of {name} …")
        bring(tools)
    return 0


def _prepared(given: argparse.Namespace, *, demo: bool) -> Run:
    _allow_open_files()
    operator = {name: value for name, value in inherited().items() if value}
    scale = dict(given.scale or _scales(operator.get("CLIPSTREAM_SCALE", "")))
    run = Run(given.root, operator, _say, scale=scale, demo=demo)
    _take_signals(run)
    return run


def _say(line: str) -> None:
    console.print(line, markup=False, soft_wrap=True)


def _take_signals(run: Run) -> None:
    """The first signal to stop is an ordinary interruption; any later one means: at once."""

    def stop_now(number: int, frame: object) -> None:
        if stopping.is_set() or run.ending.is_set():
            run.hurry.set()
            return
        stopping.set()
        console.print("Stopping; once more means at once.")
        raise KeyboardInterrupt

    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop_now)


def _allow_open_files() -> None:
    """As many open files as a server of many connections needs, where the operator's limit allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _scales(text: str) -> list[tuple[str, int]]:
    try:
        return [_scale(part) for part in text.replace(",", " ").split()]
    except argparse.ArgumentTypeError as problem:
        raise StandaloneError(f"CLIPSTREAM_SCALE cannot be used: {problem}") from problem


def _scale(text: str) -> tuple[str, int]:
    stage, _, count = text.partition("=")
    if stage not in plan.STAGES or not count.isdigit() or not 1 <= int(count) <= _MOST_COPIES:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a scale: write STAGE=N with one of {', '.join(plan.STAGES)} and 1 to {_MOST_COPIES}"
        )
    return stage, int(count)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m clipstream.standalone", description="Clipstream on one machine.")
    parser.add_argument("--root", type=Path, default=Path(), help="the directory of the repository (default: this one)")
    commands = parser.add_subparsers(required=True)
    for name, command, text in (
        ("run", _run, "start everything and stay up until Ctrl-C"),
        ("demo", _demo, "start everything, process the sample clips, show what came out"),
        ("stop", _stop, "end what runs in this directory"),
        ("status", _status, "say what runs in this directory, and how it is"),
        ("fetch", _fetch, "bring the servers of the tests into .tools/, so that no test waits for them"),
    ):
        parser_of_command = commands.add_parser(name, help=text)
        parser_of_command.set_defaults(command=command)
        if name in ("run", "demo"):
            parser_of_command.add_argument(
                "--scale",
                type=_scale,
                action="append",
                metavar="STAGE=N",
                help="more processes of one stage; may be repeated",
            )
    return parser


if __name__ == "__main__":
    sys.exit(main())
