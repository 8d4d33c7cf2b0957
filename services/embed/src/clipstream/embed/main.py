"""The embed service: composition root."""

from __future__ import annotations

from functools import cache

from clipstream.common.stage.runner import run_stage
from clipstream.embed.processor import Encoder
from clipstream.embed.settings import Settings
from clipstream.embed.stage import build


def main() -> None:
    settings = Settings()

    @cache
    def load() -> Encoder:
        return Encoder.load(settings.embed_model, threads=settings.embed_threads)

    run_stage([build(load, slots=settings.slots)], settings, service="embed")


if __name__ == "__main__":
    main()
