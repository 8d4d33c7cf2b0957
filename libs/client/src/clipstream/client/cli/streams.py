"""`streams`: list, make, invite, join."""

from __future__ import annotations

from typing import Annotated

import typer

from clipstream.client.cli import console
from clipstream.client.cli.naming import stream_named
from clipstream.client.cli.options import AsJson, Server, duration_s
from clipstream.client.cli.session import connected, run

app = typer.Typer(help="Your streams; make, invite to and join them.", invoke_without_command=True)


@app.callback()
def streams(context: typer.Context, server: Server = None, as_json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        run(_list(server, as_json=as_json), as_json=as_json)


async def _list(server: str | None, *, as_json: bool) -> None:
    async with connected(server) as client:
        found = [stream async for stream in client.streams.list()]
    if as_json:
        console.show_json({"streams": [stream.model_dump(mode="json") for stream in found]})
    else:
        rows = [(str(s.id), s.name, s.role, str(s.video_count), str(s.member_count)) for s in found]
        console.show_table(("id", "name", "role", "videos", "members"), rows)


@app.command()
def new(name: str, description: str = "", server: Server = None, as_json: AsJson = False) -> None:
    """Make a stream."""

    async def work() -> None:
        async with connected(server) as client:
            made = await client.streams.create(name, description)
        console.show_json(made) if as_json else console.say(str(made.id))

    run(work(), as_json=as_json)


@app.command()
def invite(
    stream: Annotated[str, typer.Argument(help="Its name or id.")],
    viewer: Annotated[bool, typer.Option("--viewer", help="May watch, and not upload.")] = False,
    expires: Annotated[
        int | None, typer.Option(parser=duration_s, metavar="TIME", help="Like 12h or 7d; without it, never.")
    ] = None,
    uses: Annotated[int | None, typer.Option(min=1, help="How many may join with it.")] = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Make a code with which others can join."""

    async def work() -> None:
        async with connected(server) as client:
            stream_id = await stream_named(client, stream)
            made = await client.invites.create(
                stream_id, "viewer" if viewer else "creator", expires_in_s=expires, usage_limit=uses
            )
        console.show_json(made) if as_json else console.say(made.code)

    run(work(), as_json=as_json)


@app.command()
def join(code: str, server: Server = None, as_json: AsJson = False) -> None:
    """Join a stream by a code."""

    async def work() -> None:
        async with connected(server) as client:
            joined = await client.invites.join(code)
        console.show_json(joined) if as_json else console.say(str(joined.stream_id))

    run(work(), as_json=as_json)
