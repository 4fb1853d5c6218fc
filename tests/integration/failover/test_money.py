"""The costs that `python -m bot providers` reports, compared with the vendors' own books."""

import asyncio
import io
from pathlib import Path

import pytest
from rich.console import Console

from bot.cli.commands.providers import providers
from bot.config import Settings
from bot.domain.job import State
from sandbox.vendors.modes import Mode
from tests.integration.failover.hosted_harness import PATIENT, HostedHarness, open_hosted_harness


def shown(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Return the rows printed by `python -m bot providers`, keyed by their first cell."""
    monkeypatch.setenv("AUDIOCLEANER_API_KEY", "k")
    for name in ("FINEVOICE_API_KEY", "SOUNDVERSE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    printed = io.StringIO()
    settings = Settings(_env_file=None).model_copy(
        update={"data_dir": data_dir, "models_dir": data_dir / "models", "daily_spend_minutes": 90}
    )
    assert providers(settings, Console(file=printed)) == 0
    lines = printed.getvalue().splitlines()
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if "│" in line]
    return {row[0]: row[1:] for row in rows} | {"": [lines[-1]]}


async def one(hosted: HostedHarness, mode: Mode) -> State:
    hosted.vendor("audiocleaner").behaviour.change(mode, None if mode is Mode.OK else 1)
    [job] = await hosted.ends(await hosted.send(1))
    return job.state


async def test_what_the_owner_is_shown_agrees_with_the_vendors_books(
    tmp_path: Path, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_hosted_harness(tmp_path, song, PATIENT["audiocleaner"]) as hosted:
        modes = (
            Mode.OK,
            Mode.OK,
            Mode.ACCEPT_THEN_FAIL,
            Mode.RESET_AFTER_SUBMIT,
            Mode.NO_CREDIT,  # last, because it starts the provider's cooldown
        )
        ends = [await one(hosted, mode) for mode in modes]
        assert ends == [State.DELIVERED] * 2 + [State.FAILED] * 3
        # The command runs its own event loop.
        rows = await asyncio.to_thread(shown, tmp_path, monkeypatch)
        vendor = hosted.vendor("audiocleaner")
        await hosted.settled("audiocleaner")

    state, attempts, submitted, possible = rows["audiocleaner"]
    assert state.startswith("its credit is used up, as of ")
    assert attempts == "done 2, failed 1, refused 1, uncertain 1"
    assert (submitted, possible) == ("4 min", "uncertain 1 min")
    assert rows[""] == ["Submitted today: 4 min of 90"]
    assert vendor.submits == 5  # one request for each attempt
    assert vendor.accepted == 4  # one minute each
    # Two done and one whose response was lost. The documentation says that failed work is not
    # billed.
    assert vendor.account.minutes_billed == 2 + 1


def test_who_cannot_be_used_is_listed_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = shown(tmp_path, monkeypatch)
    assert rows["audiocleaner"] == ["ready", "none", "0 min", "none"]
    assert rows["finevoice"][0] == "left out: FINEVOICE_API_KEY is not set"
    assert rows["local"][0] == "no model: python -m bot models"
    assert rows["karaoke-backing"] == ["490", "-"]
