"""The transcode service: composition root."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from clipstream.common.stage.runner import run_to_end, serve_stage
from clipstream.transcode.hardware import working_encoder
from clipstream.transcode.settings import Settings
from clipstream.transcode.stage import build


def main() -> None:
    settings = Settings()
    run_to_end(serve(settings), settings, "transcode")


async def serve(settings: Settings) -> int:
    if settings.scratch_dir:
        settings.scratch_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix="encoder-trial-", dir=settings.scratch_dir) as scratch:
        encoder = await working_encoder(settings.transcode_encoder, Path(scratch))
    recipe = replace(settings.recipe, encoder=encoder)
    return await serve_stage([build(recipe, slots=settings.slots)], settings, service="transcode")


if __name__ == "__main__":
    main()
