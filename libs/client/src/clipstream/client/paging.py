"""Lists are answered in pages; here they are read one thing after the other, the next page when it is needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from clipstream.client.transport import Transport, Value

T = TypeVar("T")


class Page(Protocol):
    """A page of a list. There is another one where it has a cursor."""

    @property
    def next_cursor(self) -> str | None: ...


P = TypeVar("P", bound=BaseModel)
PAGE_SIZE = 100


async def pages(
    transport: Transport, page: type[P], things: Callable[[P], Sequence[T]], path: str, **query: Value
) -> AsyncIterator[T]:
    """Everything in the list at `path`."""
    cursor: str | None = None
    while True:
        answer = await transport.ask(page, "GET", path, query={"limit": PAGE_SIZE, "cursor": cursor, **query})
        for thing in things(answer):
            yield thing
        cursor = _next(answer)
        if cursor is None:
            return


def _next(answer: Any) -> str | None:
    page: Page = answer
    return page.next_cursor
