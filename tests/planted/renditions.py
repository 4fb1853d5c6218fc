"""Bugs in renditions."""

from tests.planted.plant import Plant

_RENDER = "bot/audio/child/rendering/render.py"
_STRETCHING = "bot/audio/child/rendering/stretching.py"
_TESTS = ("tests/unit/audio/child/rendering/test_render.py",)

RENDITIONS = (
    Plant(
        name="drums move with the key",
        file=_RENDER,
        old="if part.is_drums and task.drums_apart",
        new="if part.is_drums and not task.cents",
        tests=_TESTS,
    ),
    Plant(
        name="peaks are not measured before a rendition is written",
        file=_RENDER,
        old="factor = min(1.0, LOUDEST / peak) if peak > 0 else 1.0",
        new="factor = 1.0",
        tests=_TESTS,
    ),
    Plant(
        name="the exact rate for the stretch, the rounded one for the pitch",
        file=_RENDER,
        old="factor = task.speed * SAMPLE_RATE / task.sample_rate",
        new="factor = task.speed / 2 ** (task.cents / 1200 + 0.001)",
        tests=_TESTS,
    ),
    Plant(
        name="strongly stretched attacks are smeared",
        file="bot/audio/child/rendering/stretchers.py",
        old="if abs(1 / factor - 1) <= _MILD_CHANGE:",
        new="if factor > 0:",
        tests=("tests/unit/audio/child/rendering/test_stretchers.py",),
    ),
    Plant(
        name="sustained high sounds are rough",
        file="bot/audio/child/rendering/stretchers.py",
        old="_ATTACK_S = 0.015",
        new="_ATTACK_S = 10.0",
        tests=("tests/unit/audio/child/rendering/test_stretchers.py",),
    ),
    Plant(
        name="segments start where they please",
        file=_STRETCHING,
        old="start = _best_start(reader, begin, tail, stretch)",
        new="pass",
        tests=("tests/unit/audio/child/rendering/test_stretching.py",),
    ),
    Plant(
        name="errors of the segments add up",
        file=_STRETCHING,
        old="return round(frame / self.factor)",
        new="return round(frame / self.factor) + 200 * (frame // (10 * SAMPLE_RATE))",
        tests=_TESTS,
    ),
    Plant(
        name="renditions wait for nothing",
        file="bot/audio/tools.py",
        old="self._rendering = asyncio.Semaphore(1)",
        new="self._rendering = asyncio.Semaphore(3)",
        tests=("tests/integration/audio/test_rendition_tasks.py",),
    ),
    Plant(
        name="a count-in begins without the silence for it",
        file="bot/audio/click_track.py",
        old="padding_frames=round(padding_s * SAMPLE_RATE),",
        new="padding_frames=0,",
        tests=("tests/unit/audio/test_click_track.py",),
    ),
)
