"""Two hundred strings that mean something to a parser, a pattern, a terminal or a person: none is more than words."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from itertools import islice, product
from urllib.parse import quote

import pytest

from fixtures.postgres import Databases
from integration.gateway.speech import speaking
from integration.gateway.world import World

OPERATORS = (
    "'",
    "|",
    "&",
    "!",
    ":*",
    "<->",
    "<2>",
    "(",
    ")",
    "\\",
    ":A",
    ":*B",
    '"',
    "-",
    "or",
    "and",
    "not",
    "::tsquery",
)
SQL = (
    "' OR 1=1 --",
    "'; DROP TABLE videos; --",
    "' UNION SELECT title FROM videos --",
    "') OR true --",
    "$1",
    "%s",
    "{0}",
    "${q}",
    "/* */",
    "pg_sleep(10)",
    "E'\\x00'",
    "$$;SELECT 1;$$",
    "1; COPY videos TO '/tmp/x'",
)
PATTERNS = ("%", "_", "%%%", "_%_", "secret%", "s_cret", "[a-z]", ".*", "^$", "(a+)+$", "\\%", "*", "?", "~", "?*")
MARKUP = (
    "<script>alert(1)</script>",
    "&amp;",
    "<b>secret</b>",
    "{{7*7}}",
    "<!--",
    "]]>",
    "\ue000secret\ue001",
    "\ue002x",
)
SCRIPTS = (
    "🎮",
    "🏴\u200d☠️",
    "שלום עולם",
    "مرحبا",
    "名前",
    "ﷺ" * 50,
    "Z\u0351\u036b\u0343" * 20,
    "\ufeff",
    "\u200b",
    "İstanbul",
    "ß",
    "\u1e9e",
    "𝔰𝔢𝔠𝔯𝔢𝔱",
    "ｓｅｃｒｅｔ",
)
STOPWORDS = ("the", "the a an", "to be or not to be", "is it", "i", "and or not", "der die das")
REFUSED = (
    "\0",
    "a\0b",
    "a" * 257,
    "a" * 10_000,
    "' | " * 25_000,
    "\u202esecret",
    "\u2066x",
    "\n",
    "a\r\nb",
    "\x1b[31m",
    "\x7f",
    "\u2028",
)


def attacks() -> list[str]:
    whole = [*OPERATORS, *SQL, *PATTERNS, *MARKUP, *SCRIPTS, *STOPWORDS, *REFUSED]
    return list(islice(dict.fromkeys([*whole, *_combined()]), 240))


def _combined() -> Iterator[str]:
    """Operators around, between and upon words, the same ones every time."""
    chosen = random.Random(4)
    shapes = (
        "{a}secret",
        "secret{a}",
        "secret {a} {b}",
        "{a}{b}",
        "{a} secret{b} x",
        "{a}{a}{a}{a}",
        '"{a} secret',
        "-{a}{b}",
    )
    combined = [shape.format(a=a, b=b) for shape, a, b in product(shapes, OPERATORS, OPERATORS)]
    chosen.shuffle(combined)
    yield from combined


@pytest.fixture(scope="module")
async def attacked(
    shared_world: World, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    async with speaking(shared_world, databases, tmp_path_factory.mktemp("search")) as speech:
        world = shared_world
        victim = await world.person("victim")
        theirs = await world.stream(victim)
        hidden = await world.uploaded(victim, theirs)
        edit = {"title": "secret title", "tags": ["secret tag"], "description": "the secret a an to be or not"}
        assert (await victim.ask("PUT", f"/videos/{hidden}", json=edit)).status == 200
        await speech.say(hidden, theirs, "secret words", "the secret is it", "to be or not to be", start_s=1)
        attacker = await world.person("attacker")
        own = await world.stream(attacker)
        mine = await world.uploaded(attacker, own, title="nothing to see")
        await speech.say(mine, own, "nothing to hear")
        yield world


def test_there_are_two_hundred_and_more() -> None:
    assert len(set(attacks())) >= 200


@pytest.mark.parametrize("route", ["/search", "/search?mode=title", "/search?mode=speech", "/search/suggestions"])
async def test_nothing_fails_and_nothing_foreign_is_found(attacked: World, route: str) -> None:
    attacker = await attacked.person("attacker")
    wrong = []
    for attack in attacks():
        answer = await attacker.get(f"{route}{'&' if '?' in route else '?'}q={quote(attack)}")
        expected = (400, 414) if attack in REFUSED else (200, 400)
        if answer.status not in expected or (answer.status == 400 and attack.strip() and attack not in REFUSED):
            wrong.append((attack[:80], answer.status, answer.raw[:200]))
        if answer.status == 200 and any(
            text in answer.raw.replace(b"\\", b"") for text in (b"secret t", b"secret w", b"secret is")
        ):
            wrong.append((attack[:80], answer.status, answer.raw[:200]))
        if answer.status == 200 and answer.json.get("incomplete"):
            wrong.append((attack[:80], answer.status, b"the search service failed"))
    assert wrong == []
    assert await attacked.rows("videos")


async def test_the_owner_does_find_it(attacked: World) -> None:
    """Else the test above would prove nothing."""
    victim = await attacked.person("victim")
    answer = await victim.get("/search?q=secret")
    assert answer.json["total_results"] == 2
    assert {found["kind"] for found in answer.json["videos"]} == {"title", "speech"}
