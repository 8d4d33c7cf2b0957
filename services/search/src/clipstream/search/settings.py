"""Settings of the search service."""

from __future__ import annotations

from pydantic import SecretStr

from clipstream.common.settings import DatabaseSettings, StageSettings, VectorSettings


class Settings(StageSettings, DatabaseSettings, VectorSettings):
    """`INTERNAL_TOKEN` is what the gateway proves itself with when it asks."""

    internal_token: SecretStr
