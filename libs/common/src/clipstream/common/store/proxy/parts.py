"""The multipart half of the store behind the media proxy: the proxy's own store keeps all state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from pydantic import BaseModel

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.store.names import check_key, encode_metadata
from clipstream.common.store.objects import ObjectInfo, Part, PresignedUpload
from clipstream.common.store.presign import UploadSigner
from clipstream.common.store.proxy import wire
from clipstream.common.store.proxy.client import LONG_S, ProxyClient

T = TypeVar("T", bound=BaseModel)


class ProxyParts:
    """Needs the client; signs addresses of parts as it does those of objects."""

    def __init__(self, client: ProxyClient, uploads: UploadSigner) -> None:
        self._client = client
        self._uploads = uploads

    async def open_multipart(
        self,
        key: ObjectKey,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        checksums: bool = False,
    ) -> str:
        check_key(key)
        encode_metadata(metadata)
        asked = wire.Opening(key=key, content_type=content_type, metadata=dict(metadata or {}), checksums=checksums)
        return (await self._ask("", key, asked, wire.Opened, repeat=False)).store_id  # each try would open another

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
        return self._uploads.sign_part(
            key, store_id, number, size_bytes=size_bytes, expires_in=expires_in, sha256=sha256
        )

    async def list_parts(self, key: ObjectKey, store_id: str) -> Sequence[Part]:
        check_key(key)
        told = await self._ask("/parts", key, wire.Named(key=key, store_id=store_id), wire.Parts)
        return [listed.part() for listed in told.parts]

    async def complete_multipart(
        self, key: ObjectKey, store_id: str, parts: Sequence[Part], *, if_absent: bool = True
    ) -> ObjectInfo:
        check_key(key)
        listed = [wire.ListedPart.of(part) for part in parts]
        asked = wire.Completing(key=key, store_id=store_id, parts=listed, if_absent=if_absent)
        return (await self._ask("/complete", key, asked, wire.Listed)).info()

    async def abort_multipart(self, key: ObjectKey, store_id: str) -> None:
        check_key(key)
        await self._ask("/abort", key, wire.Named(key=key, store_id=store_id), wire.Done)

    async def _ask(self, step: str, key: ObjectKey, asked: BaseModel, answers: type[T], *, repeat: bool = True) -> T:
        body = asked.model_dump_json().encode()
        headers = {"Content-Type": "application/json"}
        async with self._client.ask(
            "POST", wire.MULTIPART + step, key, headers=headers, data=body, repeat=repeat, patience_s=LONG_S
        ) as answer:
            return answers.model_validate_json(await answer.read())
