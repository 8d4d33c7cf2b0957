"""What Discord is sent: people's text as text, within bounds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from clipstream.gateway.discord import TITLE_LIMIT, discord_body, plain
from clipstream.gateway.webhooks import EVENTS, TEST, Message, Told
from fixtures.markup import SCRIPTS


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize("text", ["a" * 500, "*" * 500, "@" * 500, "🎮" * 500, "𝔞*" * 200, "a" * 255 + "*"])
def test_titles_stay_within_the_bound(text: str) -> None:
    shown = plain(text, TITLE_LIMIT)
    assert _units(shown) <= TITLE_LIMIT
    assert shown.endswith("…")
    assert not shown.endswith("\\…")


def test_what_fits_is_whole() -> None:
    assert plain("Ace on Mirage, 4 v 1", TITLE_LIMIT) == "Ace on Mirage\\, 4 v 1"


@pytest.mark.parametrize(
    "text",
    [
        "@everyone",
        "@here",
        "<@123>",
        "<@&123>",
        "<#123>",
        "</cmd:1>",
        "[x](http://e.example)",
        "||x||",
        "# x",
        *SCRIPTS,
    ],
)
def test_nothing_in_a_title_means_anything(text: str) -> None:
    shown = plain(text, 2000)
    assert "@e" not in shown
    assert "@1" not in shown
    bare = shown.replace("\\\\", "")
    assert not any(mark in "*_~`|<>[]()#@:!{}" and (at == 0 or bare[at - 1] != "\\") for at, mark in enumerate(bare))


@pytest.mark.parametrize("event", [*EVENTS, TEST])
def test_every_event_has_its_words(event: str) -> None:
    told = Told(stream_id=UUID(int=1), title="x" * 300, error="e" * 5000, uploaded_by="u" * 300)
    said = json.loads(discord_body(Message(type=event, timestamp=datetime.now(UTC), data=told)))
    assert said["content"].endswith(".")
    (embed,) = said["embeds"]
    assert _units(embed["title"]) + _units(embed["description"]) + 400 < 6000
