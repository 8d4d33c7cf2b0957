"""Pages of lists, by cursor: the place after the last row shown, so that rows which come or go meanwhile shift nothing.
A cursor is opaque to clients and holds no secret: a time and an id that they have just been shown."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, TypeVar
from uuid import UUID

from asyncpg import Record
from pydantic import AfterValidator, Field, StringConstraints

from clipstream.gateway.routes.api import Query

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Position:
    """The row after which a page begins: lists are ordered by time and id, newest first."""

    at: datetime
    id: UUID


def encode(position: Position) -> str:
    text = json.dumps([position.at.isoformat(), str(position.id)])
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode(cursor: str) -> Position:
    """`ValueError` where it is no cursor of ours."""
    try:
        at, row_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        time = datetime.fromisoformat(at)
        if time.tzinfo is None:
            raise ValueError("a time of no zone")
        return Position(time.astimezone(UTC), UUID(row_id))
    except (binascii.Error, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError("must be a next_cursor of this list") from error


def _checked(cursor: str) -> str:
    decode(cursor)
    return cursor


Cursor = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,200}$"),
    AfterValidator(_checked),
    Field(description="`next_cursor` of the page before"),
]


class PageQuery(Query):
    """Which part of a list."""

    limit: int = Field(default=50, ge=1, le=100)
    cursor: Cursor | None = None

    @property
    def after(self) -> tuple[datetime | None, UUID | None]:
        """Two parameters for SQL: `$1::timestamptz IS NULL OR (created_at, id) < ($1, $2)`."""
        position = None if self.cursor is None else decode(self.cursor)
        return (None, None) if position is None else (position.at, position.id)

    @property
    def one_more(self) -> int:
        """Asking for one row more than shown tells whether there is a next page."""
        return self.limit + 1

    def shown(self, rows: Sequence[T]) -> Sequence[T]:
        return rows[: self.limit]

    def next_cursor(self, rows: Sequence[Record], *, at: str = "created_at", row_id: str = "id") -> str | None:
        """`rows` as they were fetched, one more than shown; `at` and `row_id` name the columns they are ordered by."""
        if len(rows) <= self.limit:
            return None
        last = rows[self.limit - 1]
        return encode(Position(last[at], last[row_id]))
