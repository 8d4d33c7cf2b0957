"""`upload`: files into a stream, one after the other, each with its progress. What is interrupted is gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from platformdirs import user_state_path
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from clipstream.client.bookmarks import Bookmarks
from clipstream.client.cli import console
from clipstream.client.cli.naming import stream_named
from clipstream.client.cli.options import AsJson, InStream, Server
from clipstream.client.cli.session import connected, run
from clipstream.client.client import Client
from clipstream.client.delivery import OnProgress
from clipstream.client.errors import ClipstreamError, SignedOut
from clipstream.client.sending import Sent

INTERRUPTED = "Interrupted. The same command goes on where this one stopped."


def upload(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Clips.", exists=True, dir_okay=False, readable=True, show_default=False
        ),
    ],
    stream: InStream = None,
    title: Annotated[str | None, typer.Option(help="By default the file's name.")] = None,
    check: Annotated[
        bool, typer.Option(help="Look first whether the stream has the clip already; reads the file once more.")
    ] = True,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Send clips into a stream."""
    if title is not None and len(files) > 1:
        raise typer.BadParameter("a title is for one file", param_hint="--title")

    async def work() -> int:
        async with connected(server) as client:
            stream_id = await stream_named(client, stream)
            failed = 0
            for path in files:
                failed += not await _send(client, stream_id, path, title=title, check=check, as_json=as_json)
            return 1 if failed else 0

    run(work(), as_json=as_json, interrupted=INTERRUPTED)


async def _send(client: Client, stream_id: UUID, path: Path, *, title: str | None, check: bool, as_json: bool) -> bool:
    """One file; False where it did not get there. The others still may."""
    try:
        with _bar(as_json=as_json) as bar:
            sent = await client.upload(
                stream_id,
                path,
                title=title,
                check_known=check,
                bookmarks=Bookmarks(user_state_path("clipstream") / "uploads"),
                on_progress=_drawing(bar, bar.add_task("", total=None, name=path.name)),
            )
    except SignedOut:
        raise
    except (ClipstreamError, OSError) as error:
        if as_json:
            console.show_json({"file": str(path), "status": "failed", "reason": console.describe(error)})
        else:
            console.note(f"{path.name} was not sent:", "bold")
            console.complain(error, as_json=False)
        return False
    _tell(path, sent, as_json=as_json)
    return True


def _bar(*, as_json: bool) -> Progress:
    """It makes room for the result."""
    out = console.notes()
    return Progress(
        TextColumn("{task.fields[name]}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=out,
        transient=True,
        disable=as_json or not out.is_terminal,
    )


def _drawing(bar: Progress, task: TaskID) -> OnProgress:
    """The first call tells what had arrived before: that is no speed."""
    begun = False

    def draw(arrived: int, total: int) -> None:
        nonlocal begun
        if begun:
            bar.update(task, completed=arrived)
        else:
            bar.reset(task, completed=arrived, total=total)
            begun = True

    return draw


def _tell(path: Path, sent: Sent, *, as_json: bool) -> None:
    status = "already_there" if sent.already_there else "sent"
    if as_json:
        facts = {"video_id": str(sent.video_id), "resumed_bytes": sent.resumed_bytes}
        console.show_json({"file": str(path), "status": status, **facts})
    else:
        console.say(f"{sent.video_id}  {path.name}" + ("  (was there already)" if sent.already_there else ""))
