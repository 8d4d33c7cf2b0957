"""Vectors behind one interface: a Qdrant server, or its engine in a process of our own."""

from clipstream.common.vectors.index import Filter, Hit, Point, VectorIndex
from clipstream.common.vectors.open import open_index

__all__ = ["Filter", "Hit", "Point", "VectorIndex", "open_index"]
