"""What a signed address allows, checked twice: against the request's headers, and against the bytes themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import ClipstreamError, Permanent, Rejected
from clipstream.common.settings import StoreSettings
from clipstream.common.store.disk.store import DiskStore
from clipstream.common.store.presign import NotSigned, UploadGrant, UploadSigner, receive
from clipstream.common.store.s3.client import open_clients
from clipstream.common.store.s3.store import S3Store

KEY = ObjectKey("raw-uploads/a.mp4")
SIGNER = UploadSigner("s" * 32, "https://clips.example/api/")
HOUR = timedelta(hours=1)


def signed(signer: UploadSigner = SIGNER) -> tuple[dict[str, str], dict[str, str]]:
    upload = signer.sign(KEY, size_bytes=10, content_type="video/mp4", metadata={"stream-id": "7"}, expires_in=HOUR)
    return dict(parse_qsl(urlsplit(upload.url).query)), dict(upload.headers)


def test_an_address_is_the_gateways_as_browsers_see_it() -> None:
    upload = SIGNER.sign(KEY, size_bytes=1, content_type="video/mp4", metadata={}, expires_in=HOUR)
    assert upload.url.startswith("https://clips.example/api/uploads/direct?")


def test_what_was_signed_is_granted() -> None:
    query, headers = signed()
    grant = SIGNER.verify(query, {name.title(): value for name, value in headers.items()})
    assert (grant.key, grant.size_bytes, grant.content_type, grant.metadata) == (
        KEY,
        10,
        "video/mp4",
        {"stream-id": "7"},
    )


@pytest.mark.parametrize("change", [{"content-length": "11"}, {"content-length": ""}, {"content-type": "text/html"}])
def test_other_headers_are_refused_before_the_body(change: dict[str, str]) -> None:
    query, headers = signed()
    with pytest.raises(Rejected):
        SIGNER.verify(query, headers | change)
    with pytest.raises(Rejected):
        SIGNER.verify(query, {name: value for name, value in headers.items() if name not in change})


@pytest.mark.parametrize(
    "change", [{"grant": ""}, {"signature": ""}, {"grant": "é"}, {"signature": "é"}, {"grant": "AAAA"}]
)
def test_other_addresses_are_refused(change: dict[str, str]) -> None:
    query, headers = signed()
    with pytest.raises(NotSigned):
        SIGNER.verify(query | change, headers)
    with pytest.raises(NotSigned):
        SIGNER.verify({}, headers)


def test_another_secret_signs_for_another_gateway() -> None:
    query, headers = signed(UploadSigner("t" * 32, "https://clips.example/api"))
    with pytest.raises(NotSigned):
        SIGNER.verify(query, headers)


@pytest.mark.parametrize("body", [b"", b"123456789", b"12345678901", b"0123456789" * 1000])
async def test_other_bytes_are_not_stored_whatever_the_headers_said(tmp_path: Path, body: bytes) -> None:
    async def sent() -> AsyncIterator[bytes]:
        yield body[:5]
        yield body[5:]

    store = DiskStore(tmp_path, "clips")
    with pytest.raises(Rejected):
        await receive(store, UploadGrant(KEY, 10, "video/mp4", {}, 0), sent())
    assert [info async for info in store.list("")] == []
    await store.close()


async def test_an_endless_body_is_left_at_once(tmp_path: Path) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while read < 100:
            read += 1
            yield b"0123456789"

    store = DiskStore(tmp_path, "clips")
    with pytest.raises(Rejected):
        await receive(store, UploadGrant(KEY, 10, "video/mp4", {}, 0), endless())
    assert read == 2
    await store.close()


async def test_a_service_without_a_signer_says_so(tmp_path: Path) -> None:
    store = DiskStore(tmp_path, "clips")
    with pytest.raises(ClipstreamError, match="signed by the gateway"):
        await store.presign_put(KEY, size_bytes=1, content_type="video/mp4", metadata={}, expires_in=HOUR)
    with pytest.raises(Permanent):
        SIGNER.sign(ObjectKey("../up"), size_bytes=1, content_type="video/mp4", metadata={}, expires_in=HOUR)
    await store.close()


async def test_on_s3_the_signer_signs_uploads_for_the_public_endpoint() -> None:
    settings = StoreSettings.model_validate(
        {
            "MINIO_ENDPOINT": "minio:9000",
            "MINIO_PUBLIC_ENDPOINT": "https://s3.clips.example",
            "MINIO_ACCESS_KEY": "service",
            "MINIO_SECRET_KEY": "service-secret",
            "MINIO_SIGNER_ACCESS_KEY": "signer",
            "MINIO_SIGNER_SECRET_KEY": "signer-secret",
            "MINIO_BUCKET": "clips",
        }
    )
    async with AsyncExitStack() as stack:
        store = S3Store("clips", await open_clients(settings, stack), stack)
        put = await store.presign_put(KEY, size_bytes=1, content_type="video/mp4", metadata={"a": "é"}, expires_in=HOUR)
        get = await store.presign_get(KEY, expires_in=HOUR)
    for url, owner in ((put.url, "signer"), (get, "service")):
        assert url is not None
        parts = urlsplit(url)
        assert (parts.scheme, parts.netloc, parts.path) == ("https", "s3.clips.example", f"/clips/{KEY}")
        assert parse_qs(parts.query)["X-Amz-Credential"][0].startswith(f"{owner}/")
    assert put.headers["x-amz-meta-a"] == "%C3%A9"
