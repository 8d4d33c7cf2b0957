"""What somebody who is typing may be looking for: titles, tags and phrases that they could find themselves."""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from clipstream.common.errors import Outage
from clipstream.gateway.access import Access
from clipstream.gateway.fields import Words
from clipstream.gateway.limits import Limit
from clipstream.gateway.repository import texts
from clipstream.gateway.routes.api import Call, Query, RouteTable
from clipstream.gateway.routes.search import Part, visible_streams

table = RouteTable("search")
MOST = 10


class SuggestionQuery(Query):
    q: Words = ""
    stream_id: UUID | None = None


class Suggestion(BaseModel):
    text: str
    kind: Literal["title", "tag", "speech"]


class Suggestions(BaseModel):
    """At most 10. `incomplete` names what could not be looked into just now."""

    suggestions: list[Suggestion]
    incomplete: list[Part]


@table.route(
    "GET",
    "/search/suggestions",
    access=Access.USER,
    errors={400: "Search query required", 403: "Access denied", 404: "Stream not found"},
    limit=Limit.SEARCH,
)
async def suggest(call: Call, query: SuggestionQuery) -> Suggestions:
    """How what was typed may go on, in titles, tags and speech"""
    visible = await visible_streams(call, query.q, query.stream_id)
    if not visible:
        return Suggestions(suggestions=[], incomplete=[])
    rows = await texts.begun(call.services.pool, call.caller.id, query.q, query.stream_id, limit=2 * MOST)
    said, incomplete = await _said(call, query.q, visible)
    return Suggestions(
        suggestions=_mixed(
            [Suggestion(text=row["written"], kind="title") for row in rows if not row["tag"]],
            [Suggestion(text=row["written"], kind="tag") for row in rows if row["tag"]],
            [Suggestion(text=phrase, kind="speech") for phrase in said],
        ),
        incomplete=incomplete,
    )


async def _said(call: Call, q: str, visible: list[UUID]) -> tuple[list[str], list[Part]]:
    try:
        return await call.services.search.phrases(q, visible, limit=MOST), []
    except Outage:
        return [], ["speech"]


def _mixed(*kinds: list[Suggestion]) -> list[Suggestion]:
    """The best of each kind in turn; what reads the same is offered once."""
    mixed: dict[str, Suggestion] = {}
    for suggestion in chain.from_iterable(zip_longest(*kinds)):
        if suggestion is not None:
            mixed.setdefault(suggestion.text.casefold(), suggestion)
    return list(mixed.values())[:MOST]
