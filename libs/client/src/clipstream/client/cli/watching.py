"""`watch`: what happens to a video until it is done, or in a stream for as long as one likes."""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import typer
from pydantic import BaseModel
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from clipstream.client.cli import console
from clipstream.client.cli.naming import as_id, stream_named
from clipstream.client.cli.options import AsJson, Server
from clipstream.client.cli.session import connected, run
from clipstream.client.client import Client
from clipstream.client.errors import ApiError
from clipstream.client.live import Gone, Snapshot, Tick
from clipstream.client.models import Processing, Video
from clipstream.client.videos import FINAL

Event = Literal["processing", "progress", "deleted", "snapshot", "video"]
_ENDED = frozenset(("done", "skipped", "failed"))


def watch(
    what: Annotated[str, typer.Argument(metavar="VIDEO|STREAM", help="A video's id, or a stream's id or name.")],
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Follow the processing of a video, or what happens in a stream."""

    async def work() -> int:
        async with connected(server) as client:
            video_id = as_id(what)
            if video_id is not None and await _is_video(client, video_id):
                return await _watch_video(client, video_id, as_json=as_json)
            await _watch_stream(client, await stream_named(client, what), as_json=as_json)
            return 0

    run(work(), as_json=as_json)


async def _is_video(client: Client, video_id: UUID) -> bool:
    try:
        await client.videos.get(video_id)
    except ApiError as error:
        if error.error != "Video not found":
            raise
        return False
    return True


async def _watch_video(client: Client, video_id: UUID, *, as_json: bool) -> int:
    """0 where the video can be seen in the end, by itself or as a copy of another."""
    with Board(as_json=as_json) as board:
        async with aclosing(client.videos.events(video_id)) as events:
            async for event in events:
                match event:
                    case Processing():
                        board.tell("processing", event)
                        board.draw(event)
                        if event.status in FINAL:
                            break
                    case Tick():
                        board.tell("progress", event)
                        board.tick(event)
                    case Gone():
                        board.tell("deleted", event)
    if not isinstance(event, Processing):
        return _say("deleted", as_json=as_json)
    return _say(event.status, event.error, as_json=as_json)


def _say(status: str, reason: str | None = None, *, as_json: bool) -> int:
    if not as_json:
        console.say(f"{status}: {reason}" if reason else status)
    return 0 if status in ("ready", "duplicate") else 1


class Board:
    """A bar for each stage on a terminal, a line for each change elsewhere, each event as JSON for programs."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        out = console.notes()
        self._lines = not as_json and not out.is_terminal
        columns = (TextColumn("{task.description:<16}"), BarColumn(), TaskProgressColumn())
        self._bars = Progress(*columns, TextColumn("{task.fields[state]}"), console=out, disable=not out.is_terminal)
        self._tasks: dict[str, TaskID] = {}
        self._states: dict[str, str] = {}

    def __enter__(self) -> Board:
        if not self._as_json:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def tell(self, name: Event, event: BaseModel) -> None:
        if self._as_json:
            console.show_json({"event": name, "data": event.model_dump(mode="json")})

    def draw(self, processing: Processing) -> None:
        for stage in processing.stages:
            done = 1.0 if stage.state in _ENDED else stage.progress
            self._bars.update(self._task(stage.stage), completed=done, state=stage.state)
            if self._lines and self._states.get(stage.stage) != stage.state:
                console.note(f"{stage.stage} {stage.state}")
            self._states[stage.stage] = stage.state

    def tick(self, tick: Tick) -> None:
        self._bars.update(self._task(tick.stage), completed=tick.fraction, state=tick.note or tick.state)

    def _task(self, stage: str) -> TaskID:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=1.0, state="")
        return self._tasks[stage]


async def _watch_stream(client: Client, stream_id: UUID, *, as_json: bool) -> None:
    """Until it is interrupted."""
    board, known = Board(as_json=as_json), dict[UUID, Video]()
    async with aclosing(client.streams.events(stream_id)) as events:
        async for event in events:
            match event:
                case Snapshot():
                    board.tell("snapshot", event)
                    known = {video.id: video for video in event.videos}
                    if not as_json:
                        console.note(f"{len(known)} videos; waiting for what happens. Ctrl-C ends it.")
                case Video():
                    board.tell("video", event)
                    before = known.get(event.id)
                    known[event.id] = event
                    if not as_json and (before is None or before.status != event.status):
                        _line(event.title, event.status, event.id)
                case Tick():
                    board.tell("progress", event)
                case Gone():
                    board.tell("deleted", event)
                    gone = known.pop(event.id, None)
                    if not as_json and gone is not None:
                        _line(gone.title, "deleted", gone.id)


def _line(title: str, what: str, video_id: UUID) -> None:
    console.say(f"{datetime.now().astimezone():%H:%M:%S}  {what:<10}  {title}  {video_id}")
