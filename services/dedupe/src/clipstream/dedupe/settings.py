"""Settings of the dedupe service."""

from __future__ import annotations

from clipstream.common.settings import DatabaseSettings, StageSettings


class Settings(StageSettings, DatabaseSettings):
    """What every stage needs, and the database that remembers fingerprints."""
