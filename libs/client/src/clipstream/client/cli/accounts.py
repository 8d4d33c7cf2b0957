"""`login`, `logout`, `whoami`."""

from __future__ import annotations

from typing import Annotated

import typer

from clipstream.client.cli import console
from clipstream.client.cli.credentials_file import CredentialsFile, KeptKey, KeptLogin
from clipstream.client.cli.options import AsJson, Server, secret
from clipstream.client.cli.session import choose_server, connected, run
from clipstream.client.client import Client
from clipstream.client.credentials import ApiKey
from clipstream.client.errors import ApiError
from clipstream.client.models import SignedIn, Tokens


def login(
    name: Annotated[str | None, typer.Argument(help="Your name, at a server for development.")] = None,
    key: Annotated[str | None, typer.Option(help="An API key, csk_…; - reads it from standard input.")] = None,
    id_token: Annotated[
        str | None, typer.Option(help="An ID token of the server's issuer; - reads it from standard input.")
    ] = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Log in, and stay logged in."""
    if sum(way is not None for way in (name, key, id_token)) != 1:
        raise typer.BadParameter("give one of NAME, --key and --id-token")
    file = CredentialsFile()
    chosen = choose_server(server, file)

    async def work() -> None:
        if key is not None:
            entry: KeptKey | KeptLogin = await _by_key(chosen, secret(key))
        else:
            entry = await _by_login(chosen, name, None if id_token is None else secret(id_token))
        file.put(chosen, entry)
        who = entry.name if isinstance(entry, KeptLogin) else "the owner of an API key"
        if as_json:
            console.show_json({"server": chosen, "kind": entry.kind, "name": who})
        else:
            console.note(f"Logged in at {chosen} as {who}.")

    run(work(), as_json=as_json)


async def _by_key(server: str, key: str) -> KeptKey:
    """The server knows it; that it may not read is no reason against it."""
    async with Client.connect(server, ApiKey(key)) as client:
        try:
            await client.accounts.me()
        except ApiError as error:
            if error.error != "Insufficient scope":
                raise
    return KeptKey(key=key)


async def _by_login(server: str, name: str | None, id_token: str | None) -> KeptLogin:
    async with Client.connect(server) as client:
        answer: SignedIn = (
            await client.sign_in(id_token) if id_token is not None else await client.sign_in_for_development(name or "")
        )
    return KeptLogin(name=answer.user.name, tokens=Tokens.model_validate(answer.model_dump()))


def logout(server: Server = None, as_json: AsJson = False) -> None:
    """Log out; an API key is only forgotten."""
    file = CredentialsFile()
    chosen = choose_server(server, file)

    async def work() -> None:
        credentials = file.credentials(chosen)
        file.remove(chosen)
        async with Client.connect(chosen, credentials) as client:
            await client.sign_out()
        if not as_json:
            console.note(f"Logged out at {chosen}.")

    run(work(), as_json=as_json)


def whoami(server: Server = None, as_json: AsJson = False) -> None:
    """Who is logged in, and where."""

    async def work() -> None:
        async with connected(server) as client:
            account = await client.accounts.me()
            if as_json:
                console.show_json({"server": str(client.transport.base), **account.model_dump(mode="json")})
            else:
                count = account.total_videos
                console.say(f"{account.name} at {client.transport.base}, {count} video{'' if count == 1 else 's'}")

    run(work(), as_json=as_json)
