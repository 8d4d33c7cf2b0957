"""What the commands say. Results go to standard output, as text for people or as JSON for programs; everything else goes
to standard error. Text that others wrote is never taken for markup."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clipstream.client.errors import ApiError, ClipstreamError

PIPE_WIDTH = 200  # a pipe has no width, and the lines of a table should stay whole


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=PIPE_WIDTH)


def say(text: str) -> None:
    """A result."""
    _console(stderr=False).print(Text(text), soft_wrap=True)


def note(text: str, style: str = "") -> None:
    """Something beside the result."""
    _console(stderr=True).print(Text(text, style=style), soft_wrap=True)


def notes() -> Console:
    """Where progress is drawn."""
    return _console(stderr=True)


def show_json(value: BaseModel | Mapping[str, Any]) -> None:
    """One line."""
    typer.echo(value.model_dump_json() if isinstance(value, BaseModel) else json.dumps(value, default=str))


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    _console(stderr=False).print(table)


def complain(error: BaseException, *, as_json: bool) -> None:
    """Why something was not done: the server's words where it has any."""
    if as_json:
        typer.echo(json.dumps(describe(error)), err=True)
    elif isinstance(error, ApiError):
        note(error.error, "red")
        for detail in error.details:
            note(f"  {detail}")
    else:
        note(str(describe(error)["error"]), "red")


def describe(error: BaseException) -> dict[str, Any]:
    if isinstance(error, ApiError):
        return {"error": error.error, "status": error.status, "details": error.details}
    if isinstance(error, OSError) and not isinstance(error, ClipstreamError):
        return {"error": f"{error.filename}: {error.strerror}" if error.filename else str(error)}
    return {"error": str(error)}


def length(seconds: float | None) -> str:
    """`1:02:03.4`."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
