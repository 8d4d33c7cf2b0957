"""`share`, `shares`, `unshare`: a clip for somebody who is no member."""

from __future__ import annotations

from typing import Annotated

import typer

from clipstream.client.cli import console
from clipstream.client.cli.options import AsJson, Server, VideoId, duration_s, position_s, secret
from clipstream.client.cli.session import connected, run


def share(
    video_id: VideoId,
    expires: Annotated[
        int | None, typer.Option(parser=duration_s, metavar="TIME", help="Like 12h or 7d; without it, never.")
    ] = None,
    password: Annotated[str | None, typer.Option(help="To be asked for; - reads it from standard input.")] = None,
    start: Annotated[
        float | None, typer.Option(parser=position_s, metavar="PLACE", help="Where to begin, like 83.5 or 1:23.")
    ] = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Make an address that plays a video for whoever has it."""

    async def work() -> None:
        async with connected(server) as client:
            given = None if password is None else secret(password)
            made = await client.shares.create(video_id, expires_in_s=expires, password=given, start_s=start or 0.0)
        console.show_json(made) if as_json else console.say(made.share_url)

    run(work(), as_json=as_json)


def shares(video_id: VideoId, server: Server = None, as_json: AsJson = False) -> None:
    """The shares of a video that you may revoke."""

    async def work() -> None:
        async with connected(server) as client:
            found = [one async for one in client.shares.list(video_id)]
        if as_json:
            console.show_json({"shares": [one.model_dump(mode="json") for one in found]})
            return
        rows = [
            (one.code, f"{one.expires_at.astimezone():%Y-%m-%d %H:%M}" if one.expires_at else "never", one.share_url)
            for one in found
        ]
        console.show_table(("code", "expires", "address"), rows)

    run(work(), as_json=as_json)


def unshare(code: str, server: Server = None, as_json: AsJson = False) -> None:
    """Revoke a share."""

    async def work() -> None:
        async with connected(server) as client:
            await client.shares.revoke(code)
        if not as_json:
            console.note("Nobody can open it any more.")

    run(work(), as_json=as_json)
