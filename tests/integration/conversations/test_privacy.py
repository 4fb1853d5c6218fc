"""`/privacy` in conversations."""

import asyncio
from pathlib import Path

from bot.domain.job import State
from sandbox.client import SandboxClient
from tests.integration.conversations.live_bot import LiveBot
from tests.integration.conversations.scenes import (
    has_stems,
    job_id_of,
    labels,
    made,
    more,
    says,
    shows,
    until_sent,
)
from tests.unit.storage.upkeep.test_forgetting import traces


async def test_privacy_says_what_is_kept_to_one_person(
    ada: SandboxClient, ben: SandboxClient
) -> None:
    await ada.command("privacy")
    told = await ada.wait_for(shows("What I keep"))
    assert told["ephemeral"]
    description = told["embeds"][0]["description"]
    assert "for up to 24 hours" in description
    assert "no one. It is separated on the machine that I run on." in description
    assert labels(told) == ["Delete everything"]
    assert await ben.messages() == []


async def test_nothing_is_deleted_before_it_is_confirmed(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    job_id = job_id_of(await made(live_bot, ada, song))
    await ada.command("privacy")
    await ada.press(await ada.wait_for(shows("What I keep")), "Delete everything")
    asked = await ada.wait_for(shows("can't be undone"))
    assert labels(asked) == ["Yes, delete everything"]
    assert [job.id for job in await live_bot.records()] == [job_id]


async def test_everything_of_one_person_is_deleted_and_nothing_of_another(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path, tmp_path: Path
) -> None:
    await made(live_bot, ada, song)
    await ben.command("split", file=song, stems="vocals")
    theirs = await ben.wait_for(shows("Neon Rain · Vocals"))
    await ben.wait_for(lambda message: message["id"] == theirs["id"] and has_stems(message))
    [kept] = await live_bot.jobs.of_user(live_bot.user_id("Ben"), 10)
    await forget(ada)
    done = await ada.wait_for(shows("All your data is deleted"))
    assert done["embeds"][0]["description"] == "1 song and everything that belonged to it."
    assert done["components"] == []

    assert [job.id for job in await live_bot.records()] == [kept.id]
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == [kept.id]
    assert traces(tmp_path / "stemcord.db", live_bot.user_id("Ada")) == []
    await ada.command("jobs")
    await ada.wait_for(shows("You have no songs here yet."))
    await ada.command("quota")
    quota = await ada.wait_for(shows("min left"))
    assert "**56 of 60 min left**" in quota["embeds"][0]["description"], "used stays used"


async def test_a_song_on_its_way_is_stopped_and_its_card_says_so(
    live_bot: LiveBot, ada: SandboxClient, song: Path, tmp_path: Path
) -> None:
    live_bot.provider.gate = asyncio.Event()
    await ada.command("split", file=song)
    await until_sent(live_bot)
    await ada.wait_for(shows("Neon Rain"))
    await forget(ada)
    await ada.wait_for(shows("All your data is deleted"))
    card = await ada.wait_for(shows("You cancelled this song."))
    assert card["components"] == []
    live_bot.provider.gate.set()
    await asyncio.sleep(0.05)
    assert list((tmp_path / "jobs").iterdir()) == []
    assert await live_bot.jobs.unfinished() == []
    [row] = await live_bot.db.read("SELECT state, url, title, message_id FROM jobs")
    assert tuple(row) == (State.CANCELLED, "", "", None)


async def test_a_song_about_to_be_shown_is_not_and_its_card_offers_nothing(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    await ada.fault("PATCH *", with_files=True, reset=True)
    await ada.command("split", file=song)
    async with asyncio.timeout(5):
        while [job.state for job in await live_bot.records()] != [State.READY]:
            await asyncio.sleep(0.005)
    await forget(ada)
    await ada.wait_for(shows("All your data is deleted"))
    card = await ada.wait_for(shows("You cancelled this song."))
    assert card["components"] == []
    assert card["embeds"][0]["description"] == "You cancelled this song."


async def test_buttons_of_a_forgotten_song_know_nothing_of_it(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    await forget(ada)
    await ada.wait_for(shows("All your data is deleted"))
    await more(ada, message, "dm")
    await ada.wait_for(says("I can't find that song among yours."))


async def forget(person: SandboxClient) -> None:
    """Use `/privacy` to delete everything."""
    await person.command("privacy")
    await person.press(await person.wait_for(shows("What I keep")), "Delete everything")
    asked = await person.wait_for(shows("can't be undone"))
    await person.press(asked, "Yes, delete everything")
