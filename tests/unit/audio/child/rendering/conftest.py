from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bot.audio.child import master
from bot.audio.child.rendering.render import render
from bot.audio.rendition_tasks import MasterPart, RenderedOutput, RenderTask, frames_of

BLOCK = 1 << 16


@dataclass
class Studio:
    """Masters in a folder, and tasks that render them."""

    folder: Path

    def write(self, **sounds):
        """Write sounds (channels by samples) as masters by name."""
        for name, sound in sounds.items():
            with master.written(self.folder / f"{name}.flac") as write:
                for start in range(0, sound.shape[1], BLOCK):
                    write(np.asarray(sound[:, start : start + BLOCK].T, np.float32))

    def master(self, name):
        return self.folder / f"{name}.flac"

    def read(self, name):
        """Read a FLAC file as samples by channels."""
        with master.opened(self.folder / f"{name}.flac") as container:
            return np.concatenate([np.zeros((0, 2), np.float32), *master.blocks(container)])

    def task(self, *, outputs, levels=None, **changes):
        """Make a task from outputs, each a list of masters; `drums` are drums."""
        files = tuple(
            RenderedOutput(
                path=self.folder / f"{name}.flac",
                parts=tuple(
                    MasterPart(
                        master=self.master(part),
                        level_percent=(levels or {}).get(part, 100),
                        is_drums=part == "drums",
                    )
                    for part in parts
                ),
            )
            for name, parts in outputs.items()
        )
        frames = max(frames_of(part.master) for file in files for part in file.parts)
        return RenderTask(files=files, frames=frames, **changes)

    def render(self, **options):
        return render(self.task(**options))


@pytest.fixture
def studio(tmp_path):
    return Studio(tmp_path)
