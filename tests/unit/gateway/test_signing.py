"""Media tokens: good for one video, one holder and some hours, and for nothing else."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from clipstream.gateway.signing import Holder, HolderKind, MediaSigner, derive_key

LIFE = timedelta(hours=6)
NOW = 1_800_000_000.0
VIDEO, USER, KEY, SHARE = (
    UUID(int=number << 100) for number in (10, 11, 12, 13)
)  # the same wherever tests are collected


@pytest.fixture
def signer() -> MediaSigner:
    return MediaSigner("s" * 32, LIFE)


@pytest.mark.parametrize(
    ("made_for", "kind", "holder"),
    [({"user": USER}, "user", USER), ({"user": USER, "key": KEY}, "key", KEY), ({"share": SHARE}, "share", SHARE)],
)
def test_a_token_names_its_holder(
    signer: MediaSigner, made_for: dict[str, UUID], kind: HolderKind, holder: UUID
) -> None:
    token = signer.token(VIDEO, **made_for, now=NOW)
    assert signer.holder(token, VIDEO, NOW) == Holder(kind, holder)


def test_a_token_without_a_holder_is_a_mistake(signer: MediaSigner) -> None:
    with pytest.raises(ValueError, match="needs a holder"):
        signer.token(VIDEO)


def test_a_token_is_good_for_its_video_between_half_its_life_and_the_whole(signer: MediaSigner) -> None:
    token = signer.token(VIDEO, user=USER, now=NOW)
    assert signer.holder(token, VIDEO, NOW + LIFE.total_seconds() / 2 - 1) is not None
    assert signer.holder(token, VIDEO, NOW + LIFE.total_seconds() + 1) is None


def test_the_same_address_for_a_holder_for_a_while(signer: MediaSigner) -> None:
    half = LIFE.total_seconds() / 2
    start = NOW - NOW % half

    def at(now: float) -> str:
        return signer.token(VIDEO, user=USER, now=now)

    assert at(start) == at(start + half - 1) != at(start + half)


def test_not_for_another_video_or_secret(signer: MediaSigner) -> None:
    token = signer.token(VIDEO, user=USER, now=NOW)
    assert signer.holder(token, uuid4(), NOW) is None
    assert MediaSigner("t" * 32, LIFE).holder(token, VIDEO, NOW) is None


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "zz.aaaa",
        "7fffffff.AAAA",
        f"u{USER.hex}.7fffffff.",
        f"u{USER.hex}.7fffffff.AAAA",
        f"u{USER.hex}.7fffffff.{'A' * 24}",
        f"u{USER.hex}.-1.{'A' * 24}",
        f"u{USER.hex}.{'f' * 400}.{'A' * 24}",
        f"u{USER}.7fffffff.{'A' * 24}",
        f"x{USER.hex}.7fffffff.{'A' * 24}",
        f"u{USER.hex}.7fffffff.{'A' * 23}\udc80",
        f"u{USER.hex}.7fffffff.{'A' * 23}ä",
        f"u{USER.hex}.\u0667.{'A' * 24}",
        f"u{USER.hex}.7fffffff.{'A' * 24}\n",
    ],
)
def test_nonsense_is_refused(signer: MediaSigner, token: str) -> None:
    assert signer.holder(token, VIDEO, NOW) is None


def test_whatever_is_changed_needs_another_signature(signer: MediaSigner) -> None:
    holder, expires, mac = signer.token(VIDEO, user=USER, now=NOW).split(".")
    later = f"{int(expires, 16) + 3600:x}"
    for forged in (
        f"{holder}.{later}.{mac}",
        f"u{uuid4().hex}.{expires}.{mac}",
        f"s{holder[1:]}.{expires}.{mac}",
        f"k{holder[1:]}.{expires}.{mac}",
        f"{holder}.0{expires}.{mac}",
        f"{holder.upper()}.{expires}.{mac}",
    ):
        assert signer.holder(forged, VIDEO, NOW) is None, forged


def test_keys_differ_by_purpose() -> None:
    assert derive_key("s" * 32, "a") != derive_key("s" * 32, "b")
