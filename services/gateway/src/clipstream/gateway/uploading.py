"""What may be uploaded, and how a form upload streams into the store: never more than a piece of it in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any
from urllib.parse import quote

from aiohttp import BodyPartReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError

from clipstream.gateway.fields import FileName, MediaType, Moment, Sha256, Title
from clipstream.gateway.problems import Problem, describe
from clipstream.gateway.routes.api import Body

CHUNK = 1 << 20
_BROKEN = (ValueError, AssertionError, HttpProcessingError, web.HTTPException)
CHUNK_PATIENCE_S = 60
FORM_OVERHEAD = 64 << 10  # boundaries, headers and the small fields around the file
FIELD_LIMIT = 4096
FILE_FIELD = "file"
TEXT_FIELDS = ("title", "recorded_at")
# Kept in the object's metadata, percent-encoded; S3 allows 2 KiB for all of it.
FILENAME_LIMIT = 1500

CONTENT_TYPES = {
    ".mp4": "video/mp4",
    ".mkv": "video/x-matroska",
    ".avi": "video/x-msvideo",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".flv": "video/x-flv",
    ".wmv": "video/x-ms-wmv",
    ".m4v": "video/x-m4v",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".aac": "audio/aac",
    ".ogg": "audio/ogg",
    ".m4a": "audio/mp4",
}


def _storable(filename: str) -> str:
    if extension(filename) not in CONTENT_TYPES:
        raise ValueError(f"file must be one of {', '.join(CONTENT_TYPES)}")
    if len(quote(filename, safe="")) > FILENAME_LIMIT:
        raise ValueError("the file's name is too long")
    return filename


def extension(filename: str) -> str:
    return PurePosixPath(filename.replace("\\", "/")).suffix.lower()


ClipName = Annotated[FileName, AfterValidator(_storable)]
_NAME: TypeAdapter[str] = TypeAdapter(ClipName)
_TYPE: TypeAdapter[str] = TypeAdapter(MediaType)


class NewVideo(Body):
    """A file that is going to be uploaded. What it is, is decided later by its bytes."""

    filename: ClipName
    size: int = Field(ge=1, le=1 << 50, description="bytes")
    title: Title | None = None
    content_type: MediaType | None = None
    sha256: Sha256 | None = None
    recorded_at: Moment | None = None


class UploadForm(Body):
    """A file with its form fields. `file` may come before or after the others."""

    file: Annotated[str, Field(json_schema_extra={"contentMediaType": "application/octet-stream"})]
    title: Title | None = None
    recorded_at: Moment | None = None


class _FormFields(BaseModel):
    title: Title | None = None
    recorded_at: Moment | None = None


@dataclass
class FormFile:
    """The file part of a form, not read yet."""

    filename: str
    content_type: str
    body: BodyPartReader


def default_title(filename: str) -> str:
    """The file's name without folders and extension."""
    name = PurePosixPath(filename.replace("\\", "/")).stem.strip()
    return name[:200] or "Clip"


def too_large(limit: int) -> Problem:
    return Problem(413, "File too large", max_size=size_in_words(limit))


def size_in_words(size: int) -> str:
    """`2GB`, in powers of ten as disks and browsers count."""
    for unit, step in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= step:
            return f"{size / step:.4g}{unit}"
    return f"{size}B"


async def bounded(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """What arrives, up to `limit` bytes: one more is 413. A sender that falls silent is 408."""
    total = 0
    while True:
        try:
            async with asyncio.timeout(CHUNK_PATIENCE_S):
                chunk = await anext(chunks, None)
        except TimeoutError as error:
            raise Problem(408, "Request timed out") from error
        if chunk is None:
            return
        total += len(chunk)
        if total > limit:
            raise too_large(limit)
        yield chunk


async def part_chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    """The bytes of one part. aiohttp tells a broken form by many kinds of errors."""
    try:
        while chunk := await part.read_chunk(CHUNK):
            yield bytes(chunk)
    except _BROKEN as error:
        raise invalid("the form cannot be read") from error


class Form:
    """Reads a multipart/form-data request part by part."""

    def __init__(self, request: web.Request, limit: int) -> None:
        if (request.content_length or 0) > limit + FORM_OVERHEAD:
            raise too_large(limit)
        self._request = request
        self._texts: dict[str, Any] = {}
        self._reader: Any = None

    async def next_file(self) -> FormFile | None:
        """Read text fields up to the file part; None where the form has ended."""
        try:
            if self._reader is None:
                self._reader = await self._request.multipart()
            while True:
                async with asyncio.timeout(CHUNK_PATIENCE_S):
                    part = await self._reader.next()
                if part is None:
                    return None
                if not isinstance(part, BodyPartReader) or part.headers.get(hdrs.CONTENT_TRANSFER_ENCODING):
                    raise invalid("a part of the form cannot be read")
                if part.name == FILE_FIELD:
                    return _file(part)
                await self._take_text(part)
        except TimeoutError as error:
            raise Problem(408, "Request timed out") from error
        except _BROKEN as error:
            raise invalid("the form cannot be read") from error

    async def _take_text(self, part: BodyPartReader) -> None:
        if part.name not in TEXT_FIELDS or part.name in self._texts:
            raise invalid(f"{(part.name or 'a part without a name')[:50]!r} is not a known field, or came twice")
        raw = b""
        async for chunk in bounded(part_chunks(part), FIELD_LIMIT):
            raw += chunk
        try:
            self._texts[part.name] = raw.decode()
        except UnicodeDecodeError as error:
            raise invalid(f"{part.name} is not UTF-8") from error

    def fields(self) -> _FormFields:
        """The text fields read so far."""
        try:
            return _FormFields.model_validate({name: text for name, text in self._texts.items() if text})
        except ValidationError as error:
            raise invalid(*describe(error)) from error


def _file(part: BodyPartReader) -> FormFile:
    try:
        filename = _NAME.validate_python(part.filename or "")
    except ValidationError as error:
        raise invalid(*describe(error, "filename")) from error
    given = part.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
    try:
        content_type = _TYPE.validate_python(given)
    except ValidationError:
        content_type = CONTENT_TYPES[extension(filename)]
    return FormFile(filename, content_type, part)


def invalid(*details: str) -> Problem:
    return Problem(400, "Invalid video file", details)
