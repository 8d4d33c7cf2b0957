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
SUGGESTING_S = 2.0


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


class Phrases(_Answer):
    phrases: list[str]


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

    async def speech(
        self, q: str, stream_ids: Sequence[UUID], *, limit: int, offset: int, openings_of: Sequence[UUID] = ()
    ) -> SpeechHits:
        """Left out are hits at second 0 of the videos in `openings_of`: they are shown already."""
        question: dict[str, object] = {"q": q, "stream_ids": _texts(stream_ids), "limit": limit, "offset": offset}
        return _read(SpeechHits, await self._ask("/query/speech", question | {"openings_of": _texts(openings_of)}))

    async def phrases(self, q: str, stream_ids: Sequence[UUID], *, limit: int) -> list[str]:
        """What was said that goes on as `q` began. Somebody is typing: an answer that takes long is none."""
        question: dict[str, object] = {"q": q, "stream_ids": _texts(stream_ids), "limit": limit}
        raw = await self._ask("/query/suggestions", question, patience_s=SUGGESTING_S)
        return _read(Phrases, raw).phrases

    async def similar(self, video_id: UUID, stream_ids: Sequence[UUID], *, limit: int) -> SimilarVideos:
        """None similar where the video's pictures are not in the index."""
        question: dict[str, object] = {"video_id": str(video_id), "stream_ids": _texts(stream_ids), "limit": limit}
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

    async def _ask(
        self, path: str, question: dict[str, object], *, missing: bytes | None = None, patience_s: float = PATIENCE_S
    ) -> bytes:
        if self._url is None or self._token is None:
            raise Outage("No search service is configured: set SEARCH_URL and INTERNAL_TOKEN.")
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        try:
            async with (
                asyncio.timeout(patience_s),
                self._session.post(self._url + path, json=question, headers=headers) as answer,
            ):
                if answer.status == 404 and missing is not None:
                    return missing
                if answer.status != 200:
                    raise Outage(f"The search service answered {answer.status}.")
                return await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Outage("The search service does not answer.") from error


def _texts(ids: Sequence[UUID]) -> list[str]:
    return [str(one) for one in ids]


def _read(model: type[A], raw: bytes) -> A:
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise Outage("The search service answered something that is not its format.") from error
