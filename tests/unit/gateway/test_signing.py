"""Media tokens: good for one video, for some hours, and for nothing else."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from clipstream.gateway.signing import MediaSigner, derive_key

LIFE = timedelta(hours=6)
NOW = 1_800_000_000.0
VIDEO = uuid4()


@pytest.fixture
def signer() -> MediaSigner:
    return MediaSigner("s" * 32, LIFE)


def test_a_token_is_good_for_its_video_between_half_its_life_and_the_whole(signer: MediaSigner) -> None:
    token = signer.token(VIDEO, NOW)
    assert signer.good(token, VIDEO, NOW)
    assert signer.good(token, VIDEO, NOW + LIFE.total_seconds() / 2 - 1)
    assert not signer.good(token, VIDEO, NOW + LIFE.total_seconds() + 1)


def test_the_same_address_for_everybody_for_a_while(signer: MediaSigner) -> None:
    half = LIFE.total_seconds() / 2
    start = NOW - NOW % half
    assert signer.token(VIDEO, start) == signer.token(VIDEO, start + half - 1) != signer.token(VIDEO, start + half)


def test_not_for_another_video_or_secret(signer: MediaSigner) -> None:
    token = signer.token(VIDEO, NOW)
    assert not signer.good(token, uuid4(), NOW)
    assert not MediaSigner("t" * 32, LIFE).good(token, VIDEO, NOW)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "zz.aaaa",
        "ff",
        "7fffffff.",
        "7fffffff.AAAA",
        "-1.AAAAAAAAAAAAAAAAAAAAAAAA",
        "7fffffff.\udc80",
        "7fffffff.ä",
    ],
)
def test_nonsense_is_refused(signer: MediaSigner, token: str) -> None:
    assert not signer.good(token, VIDEO, NOW)


def test_a_later_expiry_needs_another_signature(signer: MediaSigner) -> None:
    expires, _, mac = signer.token(VIDEO, NOW).partition(".")
    assert not signer.good(f"{int(expires, 16) + 3600:x}.{mac}", VIDEO, NOW)


def test_keys_differ_by_purpose() -> None:
    assert derive_key("s" * 32, "a") != derive_key("s" * 32, "b")
