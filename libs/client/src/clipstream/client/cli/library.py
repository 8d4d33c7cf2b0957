"""`ls`, `search`, `url`, `rm`: what is there, where something was said, where it plays, and away with it."""

from __future__ import annotations

import sys
from typing import Annotated, Literal
from uuid import UUID

import typer
from rich.text import Text

from clipstream.client.cli import console
from clipstream.client.cli.naming import stream_named
from clipstream.client.cli.options import AsJson, InStream, Server, VideoId
from clipstream.client.cli.session import connected, run
from clipstream.client.errors import ApiError
from clipstream.client.models import Found, Playback
from clipstream.client.videos import Status


def ls(
    stream: Annotated[str | None, typer.Argument(help="A stream's name or id.")] = None,
    status: Annotated[Status | None, typer.Option(help="Only those.")] = None,
    most: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 50,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """The videos of a stream, newest first."""

    async def work() -> None:
        async with connected(server) as client:
            found = []
            async for video in client.videos.list(await stream_named(client, stream), status=status):
                found.append(video)
                if len(found) == most:
                    break
        if as_json:
            console.show_json({"videos": [video.model_dump(mode="json") for video in found]})
            return
        rows = [
            (str(v.id), v.title, console.length(v.duration), v.status, v.uploaded_by.name, _when(v.uploaded_at))
            for v in found
        ]
        console.show_table(("id", "title", "length", "status", "by", "uploaded"), rows)

    run(work(), as_json=as_json)


def _when(moment: object) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if hasattr(moment, "astimezone") else ""


def search(
    words: Annotated[list[str], typer.Argument(help="What was said, or stands in a title.", show_default=False)],
    stream: InStream = None,
    mode: Annotated[Literal["all", "speech", "title"], typer.Option(help="Where to look.")] = "all",
    page: Annotated[int, typer.Option(min=1)] = 1,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Where something was said or written, in all your streams or in one."""

    async def work() -> None:
        async with connected(server) as client:
            stream_id = None if stream is None else await stream_named(client, stream)
            result = await client.search(" ".join(words), stream_id=stream_id, mode=mode, page=page)
        if as_json:
            console.show_json(result)
            return
        rows = [(str(f.id), console.length(f.timestamp), f.title, _marked(f)) for f in result.videos]
        console.show_table(("id", "at", "title", "what"), rows)
        console.note(f"{result.total_results} found")

    run(work(), as_json=as_json)


def _marked(found: Found) -> Text:
    return Text.assemble(*((run, "bold" if number % 2 else "") for number, run in enumerate(found.marked)))


def url(video_id: VideoId, server: Server = None, as_json: AsJson = False) -> None:
    """The address that plays a video (HLS), for mpv, VLC or a browser."""

    async def work() -> int:
        async with connected(server) as client:
            answer = await client.videos.playback(video_id)
        if as_json:
            console.show_json(answer)
        elif answer.hls_url is not None:
            console.say(answer.hls_url)
        if not isinstance(answer, Playback) and not as_json:
            left = f", about {answer.estimated_time} left" if answer.estimated_time else ""
            console.note(f"{answer.error}{left}")
        return 0 if answer.hls_url is not None else 1

    run(work(), as_json=as_json)


def rm(
    videos: Annotated[list[UUID], typer.Argument(metavar="VIDEO...", help="Their ids.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Delete videos with everything that was made of them."""
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise typer.BadParameter("say --yes where nobody can be asked", param_hint="--yes")
        typer.confirm(f"Delete {len(videos)} video(s) for good?", abort=True, err=True)

    async def work() -> int:
        failed = 0
        async with connected(server) as client:
            for video_id in videos:
                try:
                    await client.videos.delete(video_id)
                except ApiError as error:
                    failed += 1
                    console.complain(error, as_json=as_json)
                else:
                    console.show_json({"deleted": str(video_id)}) if as_json else console.say(f"{video_id} deleted")
        return 1 if failed else 0

    run(work(), as_json=as_json)
