"""From a command to the server and back to an exit status: 0 done, 1 refused or not possible, 2 asked wrongly, 130 interrupted.
A refusal is told in the server's words, trouble in ours, and neither with a traceback."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import typer
from filelock import Timeout
from yarl import URL

from clipstream.client.cli import console
from clipstream.client.cli.credentials_file import CredentialsFile
from clipstream.client.client import Client
from clipstream.client.errors import ClipstreamError, SignedOut

_LOCAL = ("localhost", "127.0.0.1", "::1")


def run(work: Coroutine[Any, Any, int | None], *, as_json: bool = False, interrupted: str = "Interrupted.") -> None:
    """Carry out a command; its result is the exit status, None means 0."""
    try:
        status = asyncio.run(work)
    except SignedOut as error:
        console.complain(error, as_json=as_json)
        if not as_json:
            console.note("Log in with: clipstream login")
        status = 1
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except (ClipstreamError, OSError, Timeout) as error:
        console.complain(error, as_json=as_json)
        status = 1
    except KeyboardInterrupt:
        console.note(interrupted)
        status = 130
    raise typer.Exit(status or 0)


@asynccontextmanager
async def connected(server: str | None) -> AsyncIterator[Client]:
    """As whoever is logged in at that server."""
    file = CredentialsFile()
    chosen = choose_server(server, file)
    async with Client.connect(chosen, file.credentials(chosen)) as client:
        yield client


def choose_server(server: str | None, file: CredentialsFile) -> str:
    """The one that is named, else the one that was logged in to last."""
    chosen = server or file.read().server
    if chosen is None:
        raise typer.BadParameter("name the server, with --server or in CLIPSTREAM_SERVER", param_hint="--server")
    return normalized(chosen)


def normalized(server: str) -> str:
    """The same text for the same server. Without a scheme it is https, on this machine http."""
    text = server.strip()
    if "://" not in text:
        host = URL(f"http://{text}").host
        text = f"{'http' if host in _LOCAL else 'https'}://{text}"
    try:
        url = URL(text)
    except ValueError as error:
        raise typer.BadParameter(f"{server} is no address", param_hint="--server") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise typer.BadParameter(f"{server} is no http address", param_hint="--server")
    return str(url.with_query(None).with_fragment(None)).rstrip("/")
