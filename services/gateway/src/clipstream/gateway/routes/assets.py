"""Registering what lies in the bucket already."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, StringConstraints

from clipstream.common.contracts.keys import RAW_PREFIX
from clipstream.gateway import access
from clipstream.gateway.access import Access
from clipstream.gateway.fields import StorePrefix
from clipstream.gateway.limits import Limit
from clipstream.gateway.routes.api import Body, Call, RouteTable
from clipstream.gateway.scan import Finding, Owner, Scan

table = RouteTable("operator")


def encode_place(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).rstrip(b"=").decode()


def decode_place(cursor: str) -> str:
    """`ValueError` where it is no cursor of ours."""
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("must be a next_cursor of this scan") from error


def _checked(cursor: str) -> str:
    if "\0" in decode_place(cursor):
        raise ValueError("must be a next_cursor of this scan")
    return cursor


class ScanOrder(Body):
    """Where to look: `prefix` is where originals lie unless said. What does not say itself whose it is becomes the caller's,
    in the stream of this id, in which the caller must be a creator. `cursor` is `next_cursor` of the page before."""

    stream_id: UUID | None = None
    prefix: StorePrefix | None = None
    cursor: Annotated[
        str | None, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,1500}$"), AfterValidator(lambda c: c and _checked(c))
    ] = None


class ScannedFile(BaseModel):
    """One object. `known`: its video was there before. `skipped` ones have a reason."""

    key: str
    video_id: UUID | None
    status: Literal["registered", "known", "skipped"]
    reason: str | None


class Scanned(BaseModel):
    """One page of the scan; with a `next_cursor` there is more. `skipped` counts what was known as well."""

    found: int
    registered: int
    skipped: int
    files: list[ScannedFile]
    next_cursor: str | None


@table.route(
    "POST",
    "/assets/scan",
    access=Access.SITE_ADMIN,
    scope="admin",
    limit=Limit.UPLOAD,
    idempotent=True,
    errors={404: "Stream not found"},
)
async def scan_assets(call: Call, body: ScanOrder | None) -> Scanned:
    """Look through the store and register what is new, a page at a time"""
    return await scan(call, body or ScanOrder())


async def scan(call: Call, order: ScanOrder) -> Scanned:
    """One page. Running the place gives nobody a stream: who brings clips into one must be a creator there."""
    owner = None
    if order.stream_id is not None:
        await access.to_stream(call.services.pool, Access.CREATOR, order.stream_id, call.caller.id)
        owner = Owner(order.stream_id, call.caller.id)
    after = "" if order.cursor is None else decode_place(order.cursor)
    services = call.services
    looking = Scan(
        services.pool,
        services.store,
        services.projector,
        services.relay,
        max_upload_size=int(services.settings.max_upload_size),
    )
    page = await looking.page(order.prefix or RAW_PREFIX, after=after, owner=owner)
    registered = sum(file.state == "registered" for file in page.files)
    return Scanned(
        found=len(page.files),
        registered=registered,
        skipped=len(page.files) - registered,
        files=[_file(file) for file in page.files],
        next_cursor=None if page.last is None else encode_place(page.last),
    )


def _file(file: Finding) -> ScannedFile:
    return ScannedFile(key=file.key, video_id=file.video_id, status=file.state, reason=file.reason)
