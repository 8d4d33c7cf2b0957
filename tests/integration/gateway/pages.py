"""Share pages as tests read them."""

from __future__ import annotations

from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote
from uuid import UUID

from integration.gateway.conftest import Friends
from integration.gateway.world import Answer, World


class Page(HTMLParser):
    """A page's tags with their attributes, and its text."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(answer.raw.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def shape(self) -> list[tuple[str, Sequence[str]]]:
        """Which tags with which attributes: what no text may change."""
        return [(tag, sorted(attributes)) for tag, attributes in self.tags]

    def meta(self, name: str) -> str | None:
        return next(
            (a["content"] for t, a in self.tags if t == "meta" and name in (a.get("property"), a.get("name"))), None
        )

    def first(self, tag: str) -> dict[str, str | None]:
        return next(attributes for found, attributes in self.tags if found == tag)


async def new_share(friends: Friends, video_id: UUID, **terms: Any) -> str:
    answer = await friends.creator.post(f"/videos/{video_id}/share", terms)
    return str(answer.json["code"])


async def ask_oembed(world: World, address: str, more: str = "") -> Answer:
    return await world.nobody.get(f"/oembed?url={quote(address, safe='')}{more}")
