"""Buckets: a burst, an even refill, one per caller, and never too many."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from clipstream.gateway import limits
from clipstream.gateway.limits import MOST_BUCKETS, Budget, Limit, RateLimits, parse

TEN_A_MINUTE = {Limit.GUESS: Budget(10, 60)}


def test_a_burst_then_a_pace() -> None:
    bucket = RateLimits(TEN_A_MINUTE)
    assert [bucket.spend(Limit.GUESS, "a", now=100.0) for _ in range(10)] == [None] * 10
    assert bucket.spend(Limit.GUESS, "a", now=100.0) == 6
    assert bucket.spend(Limit.GUESS, "a", now=105.9) == 1
    assert bucket.spend(Limit.GUESS, "a", now=106.1) is None
    assert bucket.spend(Limit.GUESS, "a", now=106.2) == 6
    assert [bucket.spend(Limit.GUESS, "a", now=500.0) for _ in range(11)] == [None] * 10 + [6]


def test_those_who_are_refused_do_not_wait_longer_for_it() -> None:
    bucket = RateLimits(TEN_A_MINUTE)
    for _ in range(1000):
        bucket.spend(Limit.GUESS, "a", now=0.0)
    assert bucket.spend(Limit.GUESS, "a", now=6.1) is None


def test_callers_and_classes_have_buckets_of_their_own() -> None:
    bucket = RateLimits({Limit.GUESS: Budget(1, 60), Limit.SEARCH: Budget(1, 60)})
    assert bucket.spend(Limit.GUESS, "a", now=0.0) is None
    assert bucket.spend(Limit.GUESS, "b", now=0.0) is None
    assert bucket.spend(Limit.SEARCH, "a", now=0.0) is None
    assert bucket.spend(Limit.GUESS, "a", now=0.0) == 60
    assert bucket.spend(Limit.ORDINARY, "a", now=0.0) is None  # no budget, no limit


def test_memory_is_bounded() -> None:
    bucket = RateLimits(TEN_A_MINUTE)
    for number in range(MOST_BUCKETS + 100):
        bucket.spend(Limit.GUESS, str(number), now=0.0)
    assert len(bucket._full_at) == MOST_BUCKETS


@pytest.mark.parametrize(
    ("remote", "forwarded", "proxies", "seen"),
    [
        ("203.0.113.7", None, 0, "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", 0, "203.0.113.7"),  # anybody can write that header
        ("10.0.0.1", "198.51.100.1", 1, "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", 1, "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", 2, "198.51.100.1"),
        ("10.0.0.1", None, 1, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", 2, "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", None, 0, "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", None, 0, "203.0.113.7"),
    ],
)
def test_where_a_request_comes_from(remote: str, forwarded: str | None, proxies: int, seen: str) -> None:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=remote)
    assert RateLimits({}, proxies).address(request) == seen


def test_settings_in_words() -> None:
    assert parse("off") == {}
    assert parse("") == limits.DEFAULTS
    assert parse("guess=5/30, ordinary=7/1")[Limit.GUESS] == Budget(5, 30)
    assert parse("guess=5/30")[Limit.SEARCH] == limits.DEFAULTS[Limit.SEARCH]


@pytest.mark.parametrize("bad", ["guess", "guess=0/60", "guess=5/0", "nothing=1/1", "guess=-1/60", "guess=5"])
def test_nonsense_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"guess|nothing"):
        parse(bad)
