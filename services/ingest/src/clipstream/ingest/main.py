"""The ingest service: composition root."""

from __future__ import annotations

from clipstream.common.stage.runner import run_stage
from clipstream.ingest.announcer import listen
from clipstream.ingest.settings import Settings
from clipstream.ingest.stage import build


def main() -> None:
    settings = Settings()
    run_stage(
        [build(settings.bounds, settings.max_upload_size)],
        settings,
        service="ingest",
        background=[listen(settings.storage_exchange)],
    )


if __name__ == "__main__":
    main()
