"""Opens the vector index that the settings name."""

from __future__ import annotations

from clipstream.common.settings import VectorSettings
from clipstream.common.vectors.address import Address
from clipstream.common.vectors.edge import EdgeIndex
from clipstream.common.vectors.index import VectorIndex


async def open_index(settings: VectorSettings) -> VectorIndex:
    """The index. Nothing is asked of it yet: `check` says whether it answers."""
    if settings.qdrant_url is not None:
        from clipstream.common.vectors.server import QdrantIndex  # its client takes a second to import

        return QdrantIndex.at(settings.qdrant_url, settings.qdrant_api_key)
    assert settings.vectors_url is not None  # noqa: S101 - the settings' validator made sure
    return EdgeIndex(Address.parse(settings.vectors_url), settings.vectors_token)
