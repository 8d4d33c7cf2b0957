"""Signed uploads to a store that has no HTTP of its own. The URL carries everything that is allowed, under a signature;
the gateway (or the media proxy) serves it with two calls: `verify`, then `receive`."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable
from urllib.parse import urlencode

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Rejected
from clipstream.common.store.names import check_key, encode_metadata
from clipstream.common.store.objects import ObjectInfo, ObjectStore, Part, PresignedUpload

ROUTE = "/uploads/direct"


class NotSigned(Rejected):
    """This upload address is not valid, or no longer; ask for a new one."""


@dataclass(frozen=True, slots=True)
class UploadGrant:
    """What one signed address allows until `expires_at` (seconds since 1970): exactly this object, once; or, with a
    `store_id`, exactly part `number` of that upload, which has its type and metadata already."""

    key: ObjectKey
    size_bytes: int
    content_type: str
    metadata: Mapping[str, str]
    expires_at: int
    sha256: str | None = None
    store_id: str | None = None
    number: int = 0


@runtime_checkable
class TakesParts(Protocol):
    """A store to which parts can be sent through us."""

    async def put_part(
        self, key: ObjectKey, store_id: str, number: int, body: AsyncIterator[bytes], *, sha256: str | None = None
    ) -> Part:
        """Store a part; nothing of it counts before it is whole. `sha256` is what was signed. `NotFound` where the upload
        has ended. An error that `body` raises is raised on."""
        ...


class UploadSigner:
    """Signs and verifies uploads with a secret that only the gateway knows, or only the media proxy and its clients.
    `base_url` is where the route is, as browsers see it, without the route."""

    def __init__(self, secret: str, base_url: str) -> None:
        self._key = hashlib.sha256(b"clipstream direct upload\0" + secret.encode()).digest()
        self._url = base_url.rstrip("/") + ROUTE

    def sign(
        self,
        key: ObjectKey,
        *,
        size_bytes: int,
        content_type: str,
        metadata: Mapping[str, str],
        expires_in: timedelta,
        sha256: str | None = None,
    ) -> PresignedUpload:
        check_key(key)
        encode_metadata(metadata)  # refused here, not when the upload has arrived
        grant = UploadGrant(key, size_bytes, content_type, dict(metadata), _end(expires_in), sha256)
        return self._signed(grant, {"content-type": content_type}, expires_in)

    def sign_part(
        self,
        key: ObjectKey,
        store_id: str,
        number: int,
        *,
        size_bytes: int,
        expires_in: timedelta,
        sha256: str | None = None,
    ) -> PresignedUpload:
        """One part of an upload; whatever content type it comes with means nothing."""
        check_key(key)
        return self._signed(
            UploadGrant(key, size_bytes, "", {}, _end(expires_in), sha256, store_id, number), {}, expires_in
        )

    def _signed(self, grant: UploadGrant, headers: Mapping[str, str], expires_in: timedelta) -> PresignedUpload:
        text = _pack(json.dumps(asdict(grant), separators=(",", ":")).encode())
        query = urlencode({"grant": text, "signature": self._signature(text)})
        sent = {"content-length": str(grant.size_bytes), **headers}
        return PresignedUpload("PUT", f"{self._url}?{query}", sent, grant.key, expires_in)

    def verify(self, query: Mapping[str, str], headers: Mapping[str, str]) -> UploadGrant:
        """What the request may store. `NotSigned` for a wrong or old signature, `Rejected` where the request's own
        headers differ from what was signed; nothing of the body has been read by then. `headers` are compared without
        regard to case, as HTTP has them."""
        text = query.get("grant", "")
        if not hmac.compare_digest(self._signature(text).encode(), query.get("signature", "").encode()):
            raise NotSigned
        try:
            grant = UploadGrant(**json.loads(_unpack(text)))
        except (binascii.Error, ValueError, TypeError):
            raise NotSigned from None
        if grant.expires_at < time.time():
            raise NotSigned("This upload address has expired; ask for a new one.")
        sent = {name.lower(): value for name, value in headers.items()}
        if sent.get("content-length") != str(grant.size_bytes):
            raise Rejected(f"This address takes exactly {grant.size_bytes} bytes.")
        if grant.store_id is None and sent.get("content-type") != grant.content_type:
            raise Rejected(f"This address takes only the content type {grant.content_type}.")
        return grant

    def _signature(self, text: str) -> str:
        return _pack(hmac.digest(self._key, text.encode(), "sha256"))


async def receive(store: ObjectStore, grant: UploadGrant, body: AsyncIterator[bytes]) -> ObjectInfo | Part:
    """Store a verified upload. `Rejected` where more, fewer or other bytes arrive than were signed, `Conflict` where the
    object exists already, `NotFound` where a part's upload has ended; then nothing is stored."""
    if grant.store_id is not None:
        if not isinstance(store, TakesParts):
            raise NotSigned
        part = _exactly(body, grant)
        return await store.put_part(grant.key, grant.store_id, grant.number, part, sha256=grant.sha256)
    return await store.put_stream(
        grant.key, _exactly(body, grant), content_type=grant.content_type, metadata=grant.metadata, if_absent=True
    )


async def _exactly(body: AsyncIterator[bytes], grant: UploadGrant) -> AsyncIterator[bytes]:
    digest = hashlib.sha256()
    left = grant.size_bytes
    async for chunk in body:
        left -= len(chunk)
        if left < 0:
            raise Rejected(f"More than the {grant.size_bytes} signed bytes arrived.")
        if grant.sha256 is not None:
            await asyncio.to_thread(digest.update, chunk)
        yield chunk
    if left:
        raise Rejected(f"The upload ended {left} bytes before its signed size.")
    if grant.sha256 is not None and not hmac.compare_digest(digest.hexdigest(), grant.sha256):
        raise Rejected("The bytes that arrived are not those whose checksum was signed.")


def _end(expires_in: timedelta) -> int:
    return int(time.time() + expires_in.total_seconds())


def _pack(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unpack(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
