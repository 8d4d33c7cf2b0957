"""Passwords: slow to hash, and nobody waits for a whole queue of others."""

from __future__ import annotations

import asyncio

import pytest

from clipstream.gateway import passwords
from clipstream.gateway.passwords import AT_ONCE, MOST_WAITING, Passwords
from clipstream.gateway.problems import Problem


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "LOG_N", 4)


async def test_too_many_at_once_are_sent_away() -> None:
    made = Passwords()
    room = AT_ONCE + MOST_WAITING
    ends = await asyncio.gather(*(made.hash("horse") for _ in range(room + 5)), return_exceptions=True)
    refused = [end for end in ends if isinstance(end, Problem)]
    assert [(problem.status, problem.headers["Retry-After"]) for problem in refused] == [(503, "5")] * 5
    assert sum(isinstance(end, str) for end in ends) == room
    kept = await made.hash("horse")
    assert await made.verify("horse", kept)
    assert not await made.verify("house", kept)
