"""Renders outputs into spools one by one, then scales all by one factor and writes them as FLAC.

A time stretch raises peaks by several decibels, so they are measured after it, and samples remain
floating-point numbers until then.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np

from bot.audio import spool
from bot.audio.child import master
from bot.audio.child.master import Samples
from bot.audio.child.rendering.clicks import add_clicks
from bot.audio.child.rendering.resampling import resampled
from bot.audio.child.rendering.sample_source import Pieces, Source, Sum, blocks, opened_mix
from bot.audio.child.rendering.stretchers import Blocks, require_library
from bot.audio.child.rendering.stretching import stretched
from bot.audio.child.waveform import TAG, Gauge
from bot.audio.rendition_tasks import MasterPart, Rendered, RenderedOutput, RenderTask
from bot.audio.spool import CHANNELS, SAMPLE_RATE
from bot.audio.tasks import Level, part_of

LOUDEST = 10 ** (-0.3 / 20)
"""The highest sample of a rendition, which leaves a lossy encoder some headroom."""

_BLOCK_FRAMES = 1 << 16


def render(task: RenderTask) -> Rendered:
    """Write every output.

    Raises Rejected if the task needs a time stretch and this machine lacks the library for it.
    """
    if task.changes_sound:
        require_library()
    gauges = [_write_spool(task, file) for file in task.files]
    peak = max((gauge.peak for gauge in gauges), default=0.0)
    factor = min(1.0, LOUDEST / peak) if peak > 0 else 1.0
    for file, gauge in zip(task.files, gauges, strict=True):
        _write_file(task, file, gauge, factor)
    return Rendered(
        factor=factor,
        frames=task.rendered_frames,
        levels=tuple(Level(peak=at.peak * factor, rms=at.rms * factor) for at in gauges),
    )


def _write_spool(task: RenderTask, file: RenderedOutput) -> Gauge:
    """Render one output into its spool, clicks included, and measure it."""
    path = part_of(task.spool_of(file.path))
    gauge = Gauge(frames=task.rendered_frames)
    with path.open("wb") as spooled, _opened_rendition(task, file.parts) as sound:
        for block in blocks(sound, task.rendered_frames):
            spooled.write(block.astype("<f4").tobytes())
            gauge.add(block)
    if task.click is None:
        return gauge
    add_clicks(path, task.click, peak=gauge.peak)
    with_clicks = Gauge(frames=task.rendered_frames)
    for block in _spooled(path):
        with_clicks.add(block)
    return with_clicks


def _write_file(task: RenderTask, file: RenderedOutput, gauge: Gauge, factor: float) -> None:
    path = part_of(task.spool_of(file.path))
    tags = {TAG: gauge.waveform.tag(factor=factor)}
    with master.written(part_of(file.path), tags=tags) as write:
        for block in _spooled(path):
            write(block * np.float32(factor))
    path.unlink()
    part_of(file.path).replace(file.path)


def _spooled(path: Path) -> Iterator[Samples]:
    with path.open("rb") as file:
        while raw := file.read(_BLOCK_FRAMES * spool.FRAME_BYTES):
            yield np.frombuffer(raw, "<f4").reshape(-1, CHANNELS)


@contextmanager
def _opened_rendition(task: RenderTask, parts: Sequence[MasterPart]) -> Iterator[Source]:
    """Open masters as one source of an output's sound, without its clicks."""
    heard = [part for part in parts if part.level_percent]
    apart = [part for part in heard if part.is_drums and task.drums_apart]
    together = [part for part in heard if part not in apart]
    with opened_mix(apart) as drums, opened_mix(together) as others:
        sounds: list[Source] = []
        if apart:
            sounds.append(Pieces(_in_time(task, drums)))
        if together:
            sounds.append(Pieces(_in_key_and_time(task, others)))
        padding = np.zeros((task.padding_frames, CHANNELS), np.float32)
        song = blocks(Sum([(sound, 1.0) for sound in sounds]), task.rendered_frames)
        yield Pieces(chain((padding,), song))


def _in_time(task: RenderTask, drums: Source) -> Iterator[Samples]:
    if task.speed == 1.0:
        return blocks(drums, task.frames)
    return stretched(drums, task.frames, factor=task.speed, by=Blocks.ATTACKS)


def _in_key_and_time(task: RenderTask, sound: Source) -> Iterator[Samples]:
    """Stretch sound so that it has the requested length, and resample it to the requested pitch.

    The pitch is raised before stretching, but lowered after it, so that as few frames as possible
    are stretched.
    """
    pitch = task.sample_rate / SAMPLE_RATE
    factor = task.speed * SAMPLE_RATE / task.sample_rate
    frames = task.frames
    if pitch > 1.0:
        frames = math.ceil(task.frames / pitch)
        sound = Pieces(resampled(blocks(sound, task.frames), rate=task.sample_rate))
    pieces = (
        blocks(sound, frames)
        if factor == 1.0
        else stretched(sound, frames, factor=factor, by=Blocks.TONES, pitch=pitch)
    )
    return resampled(pieces, rate=task.sample_rate) if pitch < 1.0 else pieces
