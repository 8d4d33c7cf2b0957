"""The transcode service: composition root."""

from __future__ import annotations

from clipstream.common.stage.runner import run_stage
from clipstream.transcode.settings import Settings
from clipstream.transcode.stage import build


def main() -> None:
    settings = Settings()
    run_stage([build(settings.recipe, slots=settings.slots)], settings, service="transcode")


if __name__ == "__main__":
    main()
