"""Pages of lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pydantic import Field

from clipstream.gateway.routes.api import Query

T = TypeVar("T")


class PageQuery(Query):
    """Which part of a list."""

    page: int = Field(default=1, ge=1, le=10_000)
    limit: int = Field(default=50, ge=1, le=100)

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.limit

    @property
    def one_more(self) -> int:
        """Asking for one row more than shown tells whether there is a next page."""
        return self.limit + 1

    def shown(self, rows: Sequence[T]) -> Sequence[T]:
        return rows[: self.limit]

    def next_page(self, rows: Sequence[object]) -> int | None:
        return self.page + 1 if len(rows) > self.limit else None
