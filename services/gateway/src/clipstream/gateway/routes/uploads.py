"""Getting a clip in: announce a file and be given an address for it, or send it through in one form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from aiohttp import hdrs, web
from asyncpg import Record
from pydantic import BaseModel

from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Conflict, NotFound, Rejected
from clipstream.common.store.objects import ObjectInfo, PresignedUpload
from clipstream.common.store.presign import ROUTE as DIRECT_ROUTE
from clipstream.common.store.presign import NotSigned, receive
from clipstream.gateway import arrivals, commands
from clipstream.gateway.access import Access
from clipstream.gateway.arrivals import already_complete
from clipstream.gateway.clip import Status
from clipstream.gateway.limits import Limit
from clipstream.gateway.problems import Problem
from clipstream.gateway.quota import Quotas
from clipstream.gateway.repository import videos
from clipstream.gateway.routes.api import Call, RouteTable, StreamPath, VideoPath
from clipstream.gateway.uploading import (
    CHUNK,
    CONTENT_TYPES,
    Form,
    FormFile,
    NewVideo,
    UploadForm,
    bounded,
    default_title,
    extension,
    invalid,
    part_chunks,
    too_large,
)

table = RouteTable("uploads")
_ETAG = re.compile(r"[^!#-~]")


class Upload(BaseModel):
    """One HTTP request that stores the file: send every header as it stands. `expires_in` is in seconds."""

    url: str
    method: str
    headers: Mapping[str, str]
    key: str
    expires_in: int


class FreshUpload(Upload):
    """The same; `upload_url` is its `url`."""

    upload_url: str


class CreatedVideo(BaseModel):
    """A new video. The upload is missing where the file came with the request."""

    id: UUID
    processing_index: Literal[1] = 1
    upload_url: str | None = None
    upload: Upload | None = None


class VideoState(BaseModel):
    id: UUID
    status: Status
    processing_index: int


@table.route(
    "POST",
    "/streams/{stream_id}/videos",
    access=Access.CREATOR,
    status=201,
    invalid="Invalid video file",
    errors={
        409: "Clip already in this stream",
        413: "File too large",
        429: "Too many open uploads",
        507: "Storage quota exceeded",
    },
    form=UploadForm,
    scope="upload",
    limit=Limit.UPLOAD,
    idempotent=True,
    location="/videos/{id}",
)
async def create_video(call: Call, path: StreamPath, body: NewVideo | None) -> CreatedVideo:
    """Add a clip: as JSON to be given an upload address, as a form to send the file at once"""
    if body is None:
        return await _receive_form(call, path.stream_id)
    limit = int(call.services.settings.max_upload_size)
    if body.size > limit:
        raise too_large(limit)
    if body.sha256 is not None:
        await _refuse_known(call, path.stream_id, body.sha256)
    ending = extension(body.filename)
    video: dict[str, Any] = {
        "stream_id": path.stream_id,
        "uploader_id": call.caller.id,
        "filename": body.filename,
        "content_type": body.content_type or CONTENT_TYPES[ending],
        "size_bytes": body.size,
        "sha256": body.sha256,
    }
    video_id = VideoId(uuid4())
    key = keys.original(video_id, ending)
    await commands.create_video(
        call.services.pool,
        video_id,
        **video,
        key=key,
        title=body.title or default_title(body.filename),
        recorded_at=body.recorded_at,
        look_after=call.services.settings.announce_after,
        quotas=Quotas.of(call.services.settings),
    )
    upload = await _presign(call, video | {"key": key})
    return CreatedVideo(id=video_id, upload_url=upload.url, upload=upload)


async def _refuse_known(call: Call, stream_id: UUID, sha256: str) -> None:
    """Only this stream is looked at: whether another one has the clip makes no difference."""
    known = await videos.same_content(call.services.pool, stream_id, f"sha256:{sha256}")
    if known is not None:
        video = {"id": str(known["id"]), "title": known["title"]}
        raise Problem(409, "Clip already in this stream", video=video)


@table.route(
    "POST",
    "/videos/{video_id}/upload-url",
    access=Access.UPLOADER,
    errors={409: "Upload already complete"},
    scope="upload",
    limit=Limit.UPLOAD,
)
async def renew_upload(call: Call, path: VideoPath) -> FreshUpload:
    """A fresh upload address for a file that has not arrived yet"""
    row = call.found
    if row["status"] != "uploading":
        raise already_complete()
    await videos.seen(call.services.pool, row["id"])
    upload = await _presign(call, row)
    return FreshUpload(upload_url=upload.url, **upload.model_dump())


@table.route(
    "POST",
    "/videos/{video_id}/complete",
    access=Access.UPLOADER,
    errors={409: "Upload not complete"},
    scope="upload",
)
async def complete_upload(call: Call, path: VideoPath) -> VideoState:
    """Say that the file has arrived: processing begins. Saying it twice changes nothing"""
    row: Record | None = call.found
    if row is not None and row["status"] == "uploading":
        await arrivals.announce(call.services, row, await arrivals.stored_file(call.services, row))
        row = await videos.by_id(call.services.pool, path.video_id)
    if row is None:
        raise Problem(404, "Video not found")
    return VideoState(id=row["id"], status=row["status"], processing_index=row["processing_index"])


@table.route(
    "PUT",
    DIRECT_ROUTE,
    access=Access.SIGNED,
    content=("text/plain",),
    errors={
        400: "Invalid video file",
        403: "Invalid upload address",
        404: "Upload not found",
        409: "Upload already complete",
        413: "File too large",
    },
)
async def take_upload(call: Call) -> web.StreamResponse:
    """Store the file, or the part of one, that a signed address allows (disk storage; S3 takes such uploads itself)"""
    services, request = call.services, call.request
    try:
        grant = services.uploads.verify(request.query, request.headers)
        limit = int(services.settings.max_upload_size)
        stored = await receive(services.store, grant, bounded(request.content.iter_chunked(CHUNK), limit))
    except NotSigned as error:
        raise Problem(403, "Invalid upload address", [str(error)]) from error
    except Rejected as error:
        raise invalid(str(error)) from error
    except NotFound as error:
        raise Problem(404, "Upload not found", [str(error)]) from error
    except Conflict as error:
        raise already_complete() from error
    return web.Response(status=200, headers={hdrs.ETAG: f'"{_ETAG.sub("", stored.etag)}"'})


async def _presign(call: Call, video: Mapping[str, Any]) -> Upload:
    signed: PresignedUpload = await call.services.store.presign_put(
        ObjectKey(video["key"]),
        size_bytes=video["size_bytes"],
        content_type=video["content_type"],
        metadata=arrivals.metadata(video["stream_id"], video["uploader_id"], video["filename"]),
        expires_in=call.services.settings.upload_url_life,
        sha256=video["sha256"],
    )
    return Upload(
        url=signed.url,
        method=signed.method,
        headers=signed.headers,
        key=signed.key,
        expires_in=int(signed.expires_in / timedelta(seconds=1)),
    )


async def _receive_form(call: Call, stream_id: UUID) -> CreatedVideo:
    services, limit = call.services, int(call.services.settings.max_upload_size)
    form = Form(call.request, limit)
    file = await form.next_file()
    if file is None:
        raise invalid("file is required")
    form.fields()  # refused before the file is read, where they came first
    video_id = VideoId(uuid4())
    await _create_for_form(call, stream_id, video_id, file, min(call.request.content_length or limit, limit))
    try:
        stored = await _store_form(call, stream_id, video_id, file)
        if not stored.size_bytes:
            raise invalid("the file is empty")
        if await form.next_file() is not None:
            raise invalid("one file is taken at a time")
        fields = form.fields()
    except BaseException:
        await commands.delete_video(services.pool, video_id=video_id, stream_id=stream_id)
        raise
    await videos.describe(
        services.pool,
        video_id,
        title=fields.title or default_title(file.filename),
        recorded_at=fields.recorded_at,
    )
    row = await videos.by_id(services.pool, video_id)
    if row is not None:
        await arrivals.announce(services, row, stored)
    return CreatedVideo(id=video_id)


async def _create_for_form(call: Call, stream_id: UUID, video_id: VideoId, file: FormFile, most: int) -> None:
    """With room for `most` bytes until its size is known. The sweeper shall not look for it while it is still arriving."""
    await commands.create_video(
        call.services.pool,
        video_id,
        stream_id=stream_id,
        uploader_id=call.caller.id,
        title=default_title(file.filename),
        filename=file.filename,
        content_type=file.content_type,
        key=keys.original(video_id, extension(file.filename)),
        size_bytes=most,
        sha256=None,
        recorded_at=None,
        look_after=timedelta(hours=1),
        quotas=Quotas.of(call.services.settings),
    )


async def _store_form(call: Call, stream_id: UUID, video_id: VideoId, file: FormFile) -> ObjectInfo:
    limit = int(call.services.settings.max_upload_size)
    return await call.services.store.put_stream(
        keys.original(video_id, extension(file.filename)),
        bounded(part_chunks(file.body), limit),
        content_type=file.content_type,
        metadata=arrivals.metadata(stream_id, call.caller.id, file.filename),
        if_absent=True,
    )
