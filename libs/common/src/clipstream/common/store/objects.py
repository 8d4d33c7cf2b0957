"""The object store as everything else sees it. The S3 API is the contract; disk and the media proxy keep to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from clipstream.common.contracts.keys import ObjectKey


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What HEAD tells. `sha256` is lowercase hex of the whole content where the store knows it without reading it."""

    key: ObjectKey
    size_bytes: int
    etag: str
    modified_at: datetime
    content_type: str = "application/octet-stream"
    sha256: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of the disk that a store lies on."""

    total_bytes: int
    used_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class PresignedUpload:
    """An HTTP request that stores exactly one object; every header in `headers` is signed and must be sent as it stands."""

    method: str
    url: str
    headers: Mapping[str, str]
    key: ObjectKey
    expires_in: timedelta


@dataclass(frozen=True, slots=True)
class Part:
    """A part that has arrived, numbered from 1. `sha256` is lowercase hex where the store knows it."""

    number: int
    size_bytes: int
    etag: str
    modified_at: datetime
    sha256: str | None = None


class ObjectStore(Protocol):
    """Bytes by key. Every implementation passes tests/contract/test_object_store.py and test_multipart_store.py.

    Errors: `NotFound` where there is no such object, `Conflict` where a conditional write lost, `Outage` where the
    store does not answer. Metadata keys are lowercase ASCII, values any text (percent-encoded on the wire).
    """

    bucket: str

    async def head(self, key: ObjectKey) -> ObjectInfo: ...

    async def get(self, key: ObjectKey, *, limit: int = 16 << 20) -> bytes:
        """The whole of a small object; `Permanent` where it is larger than `limit` bytes."""
        ...

    async def read_range(self, key: ObjectKey, offset: int, length: int, *, etag: str | None = None) -> bytes:
        """Up to `length` bytes from `offset`; shorter only at the end; empty past it.

        With `etag`: `Conflict` if the object changed."""
        ...

    def stream(
        self,
        key: ObjectKey,
        *,
        offset: int = 0,
        length: int | None = None,
        chunk: int = 1 << 20,
        etag: str | None = None,
    ) -> AsyncIterator[bytes]:
        """The bytes from `offset` in pieces of at most `chunk`, all of one version; with `etag`: `Conflict` before the
        first one if that is another."""
        ...

    async def put(
        self,
        key: ObjectKey,
        body: bytes,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> ObjectInfo:
        """Store `body`. With `if_absent`: `Conflict` where the key exists (If-None-Match: *)."""
        ...

    async def put_file(
        self,
        key: ObjectKey,
        path: Path,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> ObjectInfo:
        """Store a local file, in parts where it is large; memory stays bounded. Nothing is visible before it is complete."""
        ...

    async def put_stream(
        self,
        key: ObjectKey,
        body: AsyncIterator[bytes],
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> ObjectInfo:
        """Store what arrives, in parts; memory stays bounded. Nothing is visible before it is complete. An error that
        `body` raises is raised on, and nothing is stored."""
        ...

    async def delete(self, key: ObjectKey) -> None:
        """Remove one object; a missing one is fine."""
        ...

    async def delete_prefix(self, prefix: str) -> int:
        """Remove every object below `prefix`; how many."""
        ...

    def list(self, prefix: str, *, start_after: str = "") -> AsyncIterator[ObjectInfo]:
        """Objects below `prefix` in key order; `metadata` and `sha256` may be missing here."""
        ...

    async def presign_put(
        self,
        key: ObjectKey,
        *,
        size_bytes: int,
        content_type: str,
        metadata: Mapping[str, str],
        expires_in: timedelta,
        sha256: str | None = None,
    ) -> PresignedUpload:
        """A signed upload of exactly `size_bytes`, as the uploader's own machine sees the store."""
        ...

    async def open_multipart(
        self,
        key: ObjectKey,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        checksums: bool = False,
    ) -> str:
        """Begin an upload whose parts others send; the store's name for it, which survives restarts. Nothing is visible
        at `key` before it is completed. With `checksums` every part is signed with its SHA-256, else none is."""
        ...

    async def presign_part(
        self,
        key: ObjectKey,
        store_id: str,
        number: int,
        *,
        size_bytes: int,
        expires_in: timedelta,
        sha256: str | None = None,
    ) -> PresignedUpload:
        """A signed request that stores part `number` of exactly `size_bytes`, as the uploader's own machine sees the
        store. It may be sent again, until the upload ends: what arrived last counts."""
        ...

    async def list_parts(self, key: ObjectKey, store_id: str) -> Sequence[Part]:
        """What has arrived, in order. `NotFound` where the upload was completed or aborted."""
        ...

    async def complete_multipart(
        self, key: ObjectKey, store_id: str, parts: Sequence[Part], *, if_absent: bool = True
    ) -> ObjectInfo:
        """Make one object of `parts`, as `list_parts` told them. To say it again is fine: the object is answered with.
        `Rejected` where other parts have arrived meanwhile, `Conflict` where the key exists and was not made by this
        upload, `NotFound` where there is neither the upload nor its object; what has arrived stays then."""
        ...

    async def abort_multipart(self, key: ObjectKey, store_id: str) -> None:
        """Give back what the parts occupy; an upload that has ended is fine."""
        ...

    async def presign_get(self, key: ObjectKey, *, expires_in: timedelta) -> str | None:
        """A signed URL as a browser sees it, or None where the gateway must serve the bytes itself (disk)."""
        ...

    async def space(self) -> Space | None:
        """How full the store is; None where it cannot say (S3)."""
        ...

    async def check(self) -> None:
        """Raises `Outage` with a sentence where the store cannot be used."""
        ...

    async def close(self) -> None: ...
