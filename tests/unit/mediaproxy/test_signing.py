"""Signed downloads: one object, until a time."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.store.presign import UploadSigner
from clipstream.common.store.proxy.signing import DownloadSigner

KEY = ObjectKey("clips/a b%2F?.mp4")
SECRET = "s" * 32
SIGNER = DownloadSigner(SECRET, "https://media.example/at/")
HOUR = timedelta(hours=1)


def signed(key: ObjectKey = KEY, life: timedelta = HOUR) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(SIGNER.sign(key, life)).query))


def test_an_address_is_the_proxys_as_browsers_see_it() -> None:
    assert SIGNER.sign(KEY, HOUR).startswith("https://media.example/at/api/media/clips/a%20b%252F%3F.mp4?expires=")


def test_it_is_good_wherever_it_is_verified() -> None:
    assert DownloadSigner(SECRET).good(KEY, signed())


@pytest.mark.parametrize(
    "change",
    [
        {"expires": "99999999999"}, {"expires": ""}, {"expires": "\u00b2"}, {"expires": "9" * 5000},
        {"signature": ""}, {"signature": "\u00e9"}, {"signature": "\ud800"},
    ],
)  # fmt: skip
def test_a_changed_address_is_not(change: dict[str, str]) -> None:
    assert not SIGNER.good(KEY, signed() | change)


def test_nor_one_for_another_object_or_of_another_secret_or_too_old() -> None:
    assert not SIGNER.good("clips/b.mp4", signed())
    assert not DownloadSigner("x" * 32).good(KEY, signed())
    assert not SIGNER.good(KEY, signed(life=-HOUR))
    assert not SIGNER.good(KEY, {})


def test_no_line_end_moves_between_key_and_expiry() -> None:
    query = signed(ObjectKey("a"))
    assert not SIGNER.good(f"{query['expires']}\na", {"expires": "", "signature": query["signature"]})


def test_one_kind_of_address_is_not_good_as_the_other() -> None:
    upload = UploadSigner(SECRET, "").sign(KEY, size_bytes=1, content_type="a/b", metadata={}, expires_in=HOUR)
    assert not SIGNER.good(KEY, dict(parse_qsl(urlsplit(upload.url).query)))
