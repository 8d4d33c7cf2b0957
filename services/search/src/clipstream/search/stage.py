"""Joins indexing to events: what was said into PostgreSQL, what was seen into the vector index."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from clipstream.common.contracts.documents import Embeddings, Transcript
from clipstream.common.contracts.events import ClipEmbedded, ClipIndexed, ClipTranscribed
from clipstream.common.stage.context import StageContext
from clipstream.common.stage.spec import StageSpec
from clipstream.common.vectors.index import Filter, Point, VectorIndex
from clipstream.search.processor import collection_name, frame_points, spoken_rows
from clipstream.search.repository import Repository

BATCH = 256
DOCUMENT_LIMIT = 64 << 20
KEYWORDS = ("stream_id", "video_id")


def of_video(video_id: UUID) -> Filter:
    return Filter(match={"video_id": [str(video_id)]})


def text_stage(repository: Repository) -> StageSpec[ClipTranscribed]:
    async def handle(event: ClipTranscribed, context: StageContext) -> Sequence[ClipIndexed]:
        body = await context.store.get(event.key, limit=DOCUMENT_LIMIT)
        rows = spoken_rows(await asyncio.to_thread(Transcript.model_validate_json, body))
        if not await repository.replace_text(event.video_id, event.stream_id, rows):
            return []
        return [ClipIndexed(video_id=event.video_id, stream_id=event.stream_id, part="text", count=len(rows))]

    return StageSpec(name="search_text", consumes=ClipTranscribed, emits=(ClipIndexed,), handler=handle, slots=4)


def vector_stage(repository: Repository, index: VectorIndex) -> StageSpec[ClipEmbedded]:
    async def handle(event: ClipEmbedded, context: StageContext) -> Sequence[ClipIndexed]:
        body = await context.store.get(event.key, limit=DOCUMENT_LIMIT)
        embeddings = await asyncio.to_thread(Embeddings.model_validate_json, body)
        collection = collection_name(embeddings.model, embeddings.version)
        await index.ensure_collection(collection, embeddings.dimension, keyword_fields=KEYWORDS)
        place = {"stream_id": str(event.stream_id), "video_id": str(event.video_id)}
        points = [Point(p.id, p.vector, {**place, "t": p.t}) for p in frame_points(embeddings)]
        for start in range(0, len(points), BATCH):
            await index.upsert(collection, points[start : start + BATCH])
            context.progress((start + BATCH) / len(points) if start + BATCH < len(points) else 1.0)
        if not await repository.mark_vectors(event.video_id, event.stream_id, collection, len(points)):
            await index.delete(collection, of_video(event.video_id))  # deleted while we indexed
            return []
        return [ClipIndexed(video_id=event.video_id, stream_id=event.stream_id, part="vectors", count=len(points))]

    return StageSpec(name="search_vectors", consumes=ClipEmbedded, emits=(ClipIndexed,), handler=handle, slots=2)
