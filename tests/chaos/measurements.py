"""A scene's measurements and their limits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

RECOVERED_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table."""

    scene: str
    what: str
    measured: str
    limit: str
    is_met: bool
    is_speed: bool = False
    """Whether the figure depends on the machine and its load."""


def at_most(
    scene: str, what: str, measured: float, limit: float, unit: str = "", *, is_speed: bool = True
) -> Figure:
    """Report a number with an upper limit."""
    return Figure(
        scene=scene,
        what=what,
        measured=f"{measured:,.3g}{unit}",
        limit=f"<= {limit:g}{unit}",
        is_met=measured <= limit,
        is_speed=is_speed,
    )


def recovered(scene: str, starts: Sequence[tuple[float, float]]) -> Figure:
    """Report the slowest of these starts, each a pair of wall and CPU seconds."""
    wall_s, cpu_s = max(starts)
    most_s = percentile([start[0] for start in starts], 0.99)
    slowest = at_most(scene, "a start with jobs to resume, max", wall_s, RECOVERED_WITHIN_S, " s")
    remark = f"({cpu_s:.3g} s of CPU; p99: {most_s:.3g} s)"
    return replace(slowest, measured=f"{slowest.measured} {remark}")


def exactly(scene: str, what: str, measured: int, wanted: int) -> Figure:
    """Report a count that must have one value."""
    return Figure(
        scene=scene,
        what=what,
        measured=f"{measured:,}",
        limit=f"{wanted:,}",
        is_met=measured == wanted,
    )


def none_of(scene: str, what: str, found: Sequence[str]) -> Figure:
    """Report things that must never happen, naming the first two cases."""
    shown = "; ".join(found[:2])
    return Figure(
        scene=scene,
        what=what,
        measured=f"{len(found)}" + (f": {shown}" if found else ""),
        limit="0",
        is_met=not found,
    )


def some(scene: str, what: str, measured: int) -> Figure:
    """Report a count that must not be zero, or else the scene would prove nothing."""
    return Figure(
        scene=scene, what=what, measured=f"{measured:,}", limit="> 0", is_met=measured > 0
    )


def note(scene: str, what: str, measured: str) -> Figure:
    """Report a figure without a limit."""
    return Figure(scene=scene, what=what, measured=measured, limit="", is_met=True)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of the values lies, or 0 if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
