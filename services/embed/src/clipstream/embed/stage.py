"""Joins embedding to events and object keys. Pictures are taken out in frames.py, in a caged child."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from clipstream.common.contracts import keys
from clipstream.common.contracts.documents import Embeddings, FrameVector
from clipstream.common.contracts.events import ClipAdmitted, ClipEmbedded
from clipstream.common.stage.context import StageContext
from clipstream.common.stage.spec import StageSpec
from clipstream.embed.frames import Grid, sample_frames
from clipstream.embed.processor import Encoder, ModelCard, Vectors

DECIMALS = 5


def build(load: Callable[[], Encoder], *, slots: int = 1) -> StageSpec[ClipAdmitted]:
    """`load` gives the model, loaded on first use and kept; it raises `Permanent` where the model cannot be had."""

    async def handle(event: ClipAdmitted, context: StageContext) -> Sequence[ClipEmbedded]:
        encoder = await context.thread(load)
        size = encoder.card.input
        grid = await context.isolate(sample_frames, source=event.key, width=size.width, height=size.height)
        vectors = await context.thread(encoder.encode_file, context.scratch / grid.file, len(grid.times_s))
        key = keys.embeddings(event.video_id)
        document = await context.thread(_document, event, encoder.card, grid, vectors)
        await context.store.put(key, document, content_type="application/json")
        return [
            ClipEmbedded(
                video_id=event.video_id,
                stream_id=event.stream_id,
                key=key,
                count=len(vectors),
                dimension=encoder.card.dimension,
                model=encoder.card.name,
                version=encoder.card.version,
            )
        ]

    return StageSpec(name="embed", consumes=ClipAdmitted, emits=(ClipEmbedded,), handler=handle, slots=slots)


def _document(event: ClipAdmitted, card: ModelCard, grid: Grid, vectors: Vectors) -> bytes:
    rounded = np.round(vectors.astype(np.float64), DECIMALS).tolist()
    return (
        Embeddings(
            video_id=event.video_id,
            model=card.name,
            version=card.version,
            dimension=card.dimension,
            frames=tuple(
                FrameVector(t=round(time_s, 3), vector=tuple(vector))
                for time_s, vector in zip(grid.times_s, rounded, strict=True)
            ),
        )
        .model_dump_json()
        .encode()
    )
