"""Streams by the names that people know them by."""

from __future__ import annotations

from uuid import UUID

import typer

from clipstream.client.client import Client


async def stream_named(client: Client, text: str | None) -> UUID:
    """The stream of that id or name, whatever its capitals; unnamed, the only one that the caller has."""
    given = as_id(text)
    if given is not None:
        return given
    streams = [stream async for stream in client.streams.list()]
    found = [stream for stream in streams if text is None or stream.name.casefold() == text.casefold()]
    if len(found) == 1:
        return found[0].id
    if not streams:
        raise _unclear("you have no stream yet; make one with: clipstream streams new NAME")
    if not found:
        raise _unclear(f"you have no stream {text!r}, but {_listed([stream.name for stream in streams])}")
    choices = [f"{stream.name} ({stream.id})" for stream in found]
    raise _unclear(f"which one: {_listed(choices)}")


def as_id(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        return None


def _unclear(words: str) -> typer.BadParameter:
    return typer.BadParameter(words, param_hint="--stream")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
