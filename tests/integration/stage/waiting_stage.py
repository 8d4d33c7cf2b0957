"""An ingest stage for tests, run as a program by test_run_stage.py: works on an upload until a file named after the video
appears beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import ClipIngested, UploadCompleted
from clipstream.common.settings import StageSettings
from clipstream.common.stage.context import StageContext
from clipstream.common.stage.runner import run_stage
from clipstream.common.stage.spec import StageSpec
from fixtures import clips


class Settings(StageSettings):
    gate: Path


def main() -> None:
    settings = Settings()

    async def wait(event: UploadCompleted, context: StageContext) -> Sequence[ClipIngested]:
        context.progress(0.5, "waiting")
        (context.scratch / "half").write_text("done")
        (settings.gate / f"{event.video_id}.begun").open("a").write(f"{context.run_id}\n")
        while not (settings.gate / f"{event.video_id}.go").exists():
            await asyncio.sleep(0.02)
        return [
            ClipIngested(
                video_id=event.video_id,
                stream_id=event.stream_id,
                key=event.key,
                etag=event.etag,
                media=clips.MEDIA,
                probe_key=keys.probe(event.video_id),
            )
        ]

    spec = StageSpec(name="ingest", consumes=UploadCompleted, emits=(ClipIngested,), handler=wait, slots=2)
    run_stage([spec], settings, service="ingest")


if __name__ == "__main__":
    main()
