"""The stt service: composition root."""

from __future__ import annotations

from functools import cache

from clipstream.common.stage.runner import run_stage
from clipstream.stt.model import find_model
from clipstream.stt.processor import Whisper
from clipstream.stt.settings import Settings
from clipstream.stt.stage import build


def main() -> None:
    settings = Settings()

    @cache
    def load() -> Whisper:
        model = find_model(settings.stt_model)
        return Whisper.load(
            model.source,
            name=model.name,
            kind=model.kind,
            threads=settings.stt_threads,
            beam_size=settings.stt_beam_size,
            language=settings.stt_language,
        )

    run_stage([build(load, time_limit=settings.stt_time_limit)], settings, service="stt")


if __name__ == "__main__":
    main()
