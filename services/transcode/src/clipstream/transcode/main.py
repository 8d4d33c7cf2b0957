"""The transcode service: composition root."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from clipstream.common.stage.runner import run_to_end, serve_stage
from clipstream.transcode.encoding.hardware import working_encoder
from clipstream.transcode.settings import Settings
from clipstream.transcode.stage import specs


def main() -> None:
    settings = Settings()
    run_to_end(serve(settings), settings, "transcode")


async def serve(settings: Settings) -> int:
    if settings.scratch_dir:
        settings.scratch_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix="encoder-trial-", dir=settings.scratch_dir) as scratch:
        encoder = await working_encoder(settings.transcode_encoder, Path(scratch))
    recipe = replace(settings.recipe, encoder=encoder)
    stages = specs(recipe, copy_bit_rate=settings.transcode_copy_bit_rate, slots=settings.slots)
    return await serve_stage(stages, settings, service="transcode")


if __name__ == "__main__":
    main()
