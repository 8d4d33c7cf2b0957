"""Objects by key: S3, disk or the media proxy behind one interface."""

from clipstream.common.store.objects import ObjectInfo, ObjectStore, Part, PresignedUpload
from clipstream.common.store.open import open_store

__all__ = ["ObjectInfo", "ObjectStore", "Part", "PresignedUpload", "open_store"]
