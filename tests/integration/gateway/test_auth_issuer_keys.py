"""An issuer's keys: fetched once, kept as long as it says, renewed when it rotates, and never from anywhere else. Time is
told to the keys; the issuer is real."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from clipstream.common.errors import Outage
from clipstream.gateway.issuer_keys import LARGEST, MOST_KEYS, IssuerKeys
from fixtures.issuer import Issuer, private_key, published


@dataclass
class Bench:
    """The keys under test and the clock that they look at."""

    issuer: Issuer
    session: aiohttp.ClientSession
    now_s: float = 1000.0
    keys: IssuerKeys = field(init=False)

    def __post_init__(self) -> None:
        self.keys = IssuerKeys(self.session, self.issuer.url, clock=lambda: self.now_s)

    @property
    def fetched(self) -> int:
        return self.issuer.asked["/keys"]


@pytest.fixture
async def bench(issuer: Issuer) -> AsyncIterator[Bench]:
    async with aiohttp.ClientSession() as session:
        yield Bench(issuer, session)


async def test_a_rotated_key_is_found_without_waiting_for_the_old_ones_to_expire(bench: Bench) -> None:
    assert await bench.keys.find("key-1")
    bench.issuer.rotate()
    bench.now_s += 31
    assert await bench.keys.find("key-2")
    assert await bench.keys.find("key-1")
    assert bench.fetched == 2


async def test_unknown_names_cannot_make_us_ask_all_the_time(bench: Bench) -> None:
    assert await bench.keys.find("key-1")
    for number in range(100):
        assert await bench.keys.find(f"forged-{number}") is None
    assert bench.fetched == 1
    bench.now_s += 31
    found = await asyncio.gather(*(bench.keys.find(f"forged-{number}") for number in range(100)))
    assert found == [None] * 100
    assert bench.fetched == 2


@pytest.mark.parametrize(
    ("cache_control", "kept_s"),
    [
        ("public, max-age=600", 600),
        ("max-age=5", 60),
        ("max-age=0", 60),
        ("no-store", 60),
        ("no-cache, max-age=600", 60),
        ("max-age=999999999", 86_400),
        ("max-age=99999999999999999999", 86_400),
        ("max-age=-5", 3600),
        ("max-age=soon", 3600),
        ("", 3600),
    ],
)
async def test_keys_are_kept_as_long_as_the_issuer_says_within_bounds(
    bench: Bench, cache_control: str, kept_s: float
) -> None:
    bench.issuer.cache_control = cache_control
    await bench.keys.find("key-1")
    bench.now_s += kept_s - 1
    await bench.keys.find("key-1")
    assert bench.fetched == 1
    bench.now_s += 1
    await bench.keys.find("key-1")
    assert bench.fetched == 2


async def test_a_key_that_is_no_longer_published_ends_with_what_was_kept(bench: Bench) -> None:
    assert await bench.keys.find("key-1")
    bench.issuer.rotate()
    bench.issuer.keys = bench.issuer.keys[-1:]
    assert await bench.keys.find("key-1")
    bench.now_s += 600
    assert await bench.keys.find("key-1") is None


async def test_good_keys_outlive_the_issuer_and_old_ones_do_not(bench: Bench) -> None:
    assert await bench.keys.find("key-1")
    await bench.issuer.stop()
    bench.now_s += 599
    assert await bench.keys.find("key-1")
    bench.now_s += 1
    with pytest.raises(Outage, match=bench.issuer.url):
        await bench.keys.find("key-1")
    await bench.issuer.start()
    with pytest.raises(Outage):  # it is left in peace for a moment
        await bench.keys.find("key-1")
    bench.now_s += 2
    assert await bench.keys.find("key-1")


async def test_a_new_name_while_the_issuer_is_away_is_not_called_forged(bench: Bench) -> None:
    assert await bench.keys.find("key-1")
    await bench.issuer.stop()
    bench.now_s += 31
    for _ in range(2):
        with pytest.raises(Outage):
            await bench.keys.find("key-2")
    assert await bench.keys.find("key-1")


async def test_one_who_goes_away_does_not_take_the_answer_along(bench: Bench) -> None:
    first = asyncio.ensure_future(bench.keys.find("key-1"))
    second = asyncio.ensure_future(bench.keys.find("key-1"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second
    assert bench.fetched == 1


async def test_an_issuer_that_never_answers_is_not_waited_for(bench: Bench) -> None:
    bench.issuer.silent = True
    keys = IssuerKeys(bench.session, bench.issuer.url, clock=lambda: bench.now_s, patience_s=0.05)
    async with asyncio.timeout(30):
        with pytest.raises(Outage):
            await keys.find("key-1")


def _everything(issuer: Issuer, padding: int = 0) -> bytes:
    """Discovery document and keys in one, as long as is wished."""
    told = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys", "keys": issuer.keys, "padding": "a" * padding}
    return json.dumps(told).encode()


def _zipped(body: bytes) -> web.Response:
    return web.Response(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})


WRONG: dict[str, Callable[[Issuer], web.Response]] = {
    "a redirect": lambda i: web.Response(status=302, headers={"Location": "/elsewhere"}),
    "an error": lambda i: web.Response(status=503, body=_everything(i)),
    "no JSON": lambda i: web.Response(text="<html>", content_type="application/json"),
    "no object": lambda i: web.json_response(["keys"]),
    "nothing in it": lambda i: web.json_response({}),
    "too much": lambda i: web.Response(body=_everything(i, LARGEST)),
    "much from little": lambda i: _zipped(_everything(i, LARGEST * 50)),
    "too deep": lambda i: web.Response(text='{"a":' * 20_000),
    "other bytes": lambda i: web.Response(body=b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_an_answer_that_is_none_is_an_outage(bench: Bench, name: str) -> None:
    bench.issuer.answer = lambda: WRONG[name](bench.issuer)
    with pytest.raises(Outage):
        await bench.keys.find("key-1")
    assert not bench.issuer.asked["/elsewhere"]


@pytest.mark.parametrize("answer", [lambda i: web.Response(body=_everything(i)), lambda i: _zipped(_everything(i))])
async def test_the_same_in_order_is_taken(bench: Bench, answer: Callable[[Issuer], web.Response]) -> None:
    bench.issuer.answer = lambda: answer(bench.issuer)
    assert await bench.keys.find("key-1")


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://accounts.google.com"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": ["http://127.0.0.1/keys"]},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "/keys"},
    ],
)
async def test_a_discovery_document_of_somebody_else_is_not_followed(bench: Bench, change: dict[str, Any]) -> None:
    bench.issuer.discovery = change
    with pytest.raises(Outage):
        await bench.keys.find("key-1")
    assert bench.fetched == 0


@pytest.mark.parametrize(
    "keys",
    [
        [],
        "keys",
        [None, 5, "key", []],
        [{"kty": "oct", "k": "AAAA", "kid": "key-1"}],
        [published(private_key(), "key-1", use="enc")],
        [published(private_key(), "key-1", alg="RS512")],
        [published(private_key(), "key-1", alg="HS256")],
        [published(private_key(), "key-1", d="AAAA")],
        [published(private_key(), "key-1", n="AQAB")],
        [published(private_key(), "key-1", n="!!")],
        [published(private_key(), "key-1", kty="EC")],
        [published(private_key(), "key-1", kid=None)],
        [published(private_key(), "key-1", kid=["key-1"])],
        [published(private_key(bits=1024), "key-1")],
        [published(private_key("ES256"), "key-1", crv="P-384")],
        [published(private_key("ES256"), "other")] * MOST_KEYS + [published(private_key(), "key-1")],
    ],
)
async def test_what_is_no_key_of_ours_is_left_alone(bench: Bench, keys: Any) -> None:
    good = published(private_key("EdDSA"), "good")
    bench.issuer.keys = [good, *keys] if isinstance(keys, list) else keys
    if isinstance(keys, str):
        with pytest.raises(Outage):
            await bench.keys.find("key-1")
    else:
        assert await bench.keys.find("key-1") is None
        assert await bench.keys.find("good")
