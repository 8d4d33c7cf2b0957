"""The search service's internal API. It never learns who asks: it is told which streams may be looked into."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

import aiohttp
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from clipstream.common.errors import Outage

PATIENCE_S = 10.0


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


A = TypeVar("A", bound=_Answer)


class SpeechHit(_Answer):
    """Somebody said it here. `marked` is the text cut into runs; odd ones are the words that were found."""

    video_id: UUID
    start_s: float
    end_s: float
    text: str
    marked: list[str]


class SpeechHits(_Answer):
    hits: list[SpeechHit]
    total: int


class SimilarVideo(_Answer):
    video_id: UUID
    similarity: float


class SimilarVideos(_Answer):
    videos: list[SimilarVideo]


class SearchClient:
    """Asks the search service. Raises `Outage` where it is not configured, does not answer or answers nonsense."""

    def __init__(self, session: aiohttp.ClientSession, url: str | None, token: SecretStr | None) -> None:
        self._session = session
        self._url = None if url is None else url.rstrip("/")
        self._token = token

    async def speech(self, q: str, stream_ids: Sequence[UUID], *, limit: int, offset: int) -> SpeechHits:
        question = {"q": q, "stream_ids": [str(s) for s in stream_ids], "limit": limit, "offset": offset}
        return _read(SpeechHits, await self._ask("/query/speech", question))

    async def similar(self, video_id: UUID, stream_ids: Sequence[UUID], *, limit: int) -> SimilarVideos:
        """None similar where the video's pictures are not in the index."""
        question = {"video_id": str(video_id), "stream_ids": [str(s) for s in stream_ids], "limit": limit}
        raw = await self._ask("/query/similar", question, missing=b'{"videos": []}')
        return _read(SimilarVideos, raw)

    async def healthy(self) -> bool:
        """Whether the service says it and its vector engine can work."""
        if self._url is None:
            return False
        try:
            async with self._session.get(f"{self._url}/health", timeout=aiohttp.ClientTimeout(total=2)) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _ask(self, path: str, question: dict[str, object], *, missing: bytes | None = None) -> bytes:
        if self._url is None or self._token is None:
            raise Outage("No search service is configured: set SEARCH_URL and INTERNAL_TOKEN.")
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        try:
            async with (
                asyncio.timeout(PATIENCE_S),
                self._session.post(self._url + path, json=question, headers=headers) as answer,
            ):
                if answer.status == 404 and missing is not None:
                    return missing
                if answer.status != 200:
                    raise Outage(f"The search service answered {answer.status}.")
                return await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Outage("The search service does not answer.") from error


def _read(model: type[A], raw: bytes) -> A:
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise Outage("The search service answered something that is not its format.") from error
