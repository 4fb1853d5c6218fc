"""Every control of a result refuses unauthorised people, who learn nothing about the job."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import Problem, Reason
from bot.domain.renditions import Rendition
from bot.ui.texts import messages
from sandbox.client import SandboxClient
from sandbox.entities import Channel, Message, User
from sandbox.interactions import AnswerKind, InteractionKind
from tests.integration.conversations.live_bot import LiveBot
from tests.integration.conversations.scenes import job_id_of, made, person, says
from tests.integration.conversations.test_privacy import forget

BUTTON, MENU = 2, 3
NOT_FOUND = "I can't find that song among yours."
GONE = "These stems have been deleted."
BLOCKED = "The people who run this bot have blocked you."
RENDERING = ("r:{job}:k-2:mp3", "zip:{job}:plain:mp3", "dm:{job}:plain")
OWN = ("dm:{job}", "delete:{job}", "again:{job}", "other:{job}", "as-flac:{job}", "show:{job}")
CHOICES = ("mp3", "flac", "wav", "zip", "zip:mp3", "dm")
FORMS: Mapping[str, Mapping[str, str]] = {
    "set-key": {"key": "-2", "speed": "90"},
    "set-mix": {"vocals": "0"},
}


@dataclass
class Stranger:
    """A person who sends whatever custom ids they like, from any channel."""

    live_bot: LiveBot
    client: SandboxClient
    user: User
    channel: Channel

    async def press(self, custom_id: str) -> str:
        """Return the text of the answer to a button."""
        return await self._act(InteractionKind.COMPONENT, custom_id, component_type=BUTTON)

    async def choose(self, custom_id: str, value: str) -> str:
        """Return the text of the answer to a choice from a menu."""
        return await self._act(
            InteractionKind.COMPONENT, custom_id, component_type=MENU, values=[value]
        )

    async def submit(self, custom_id: str, values: Mapping[str, str]) -> str:
        """Return the text of the answer to a form, even if the form was never opened."""
        fields = [
            {"type": 18, "component": {"type": 4, "custom_id": name, "value": value}}
            for name, value in values.items()
        ]
        return await self._act(InteractionKind.MODAL, custom_id, components=fields)

    async def try_all(self, job_id: str) -> list[str]:
        """Try every control of a result on this job, and return the answers."""
        said = [
            await self.press(each.format(job=job_id))
            for each in ("key:{job}:plain", "mix:{job}:plain", *RENDERING, *OWN)
        ]
        said += [await self.choose(f"extra:{job_id}:plain", each) for each in CHOICES]
        said += [await self.submit(f"{form}:{job_id}:plain", FORMS[form]) for form in FORMS]
        said.append(await self.choose(f"recipe:{job_id}", "vocals"))
        return said

    async def _act(self, kind: InteractionKind, custom_id: str, **data: Any) -> str:
        before = {each["id"] for each in await self.client.messages()}
        asked = await self.live_bot.sandbox.interactions.ask(
            kind,
            user=self.user,
            channel=self.channel,
            name=custom_id,
            data={"custom_id": custom_id, **data},
            source=self._message_with(custom_id, data),
        )
        assert asked.answer is not None, f"{custom_id} was not answered"
        if asked.answer.kind is AnswerKind.MODAL:
            return "a form"
        async with asyncio.timeout(5):
            while True:
                found = await self.client.messages()
                new = [each for each in found if each["id"] not in before]
                is_open = await self.live_bot.open_replies.every()
                if (
                    not is_open
                    and new
                    and (new[-1]["content"] or new[-1]["embeds"] or new[-1]["attachments"])
                ):
                    assert new[-1]["ephemeral"]
                    return str(new[-1]["content"] or new[-1]["attachments"] or new[-1]["embeds"])
                await asyncio.sleep(0.01)

    def _message_with(self, custom_id: str, data: Mapping[str, Any]) -> Message:
        """Return a message of the channel with the components that a client claims."""
        options = [{"label": "x", "value": each} for each in data.get("values", ())]
        item: dict[str, Any] = {"type": data.get("component_type", BUTTON), "custom_id": custom_id}
        item |= {"options": options} if options else {"style": 2, "label": "x"}
        found = next(
            each
            for each in self.live_bot.sandbox.world.messages.values()
            if each.channel_id == self.channel.id
        )
        return replace(found, components=({"type": 1, "components": [item]},))


@pytest.fixture
async def stranger(live_bot: LiveBot, ben: SandboxClient) -> Stranger:
    world = live_bot.sandbox.world
    channel = next(each for each in world.channels.values() if each.name == "karaoke")
    return Stranger(live_bot, ben, person(live_bot, "Ben"), channel)


def unexpected(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the log lines of answers with an error number instead of a reason."""
    return [each.getMessage() for each in caplog.records if "in an interaction" in each.message]


@pytest.mark.parametrize("whose", ["private", "elsewhere", "in a DM", "forgotten"])
async def test_a_job_that_a_stranger_does_not_see_is_as_one_that_never_was(
    live_bot: LiveBot, ada: SandboxClient, stranger: Stranger, song: Path, whose: str
) -> None:
    await made(live_bot, ada, song)  # a message whose controls the stranger uses
    if whose == "elsewhere":
        world = live_bot.sandbox.world
        world.add_text_channel(next(iter(world.guilds)), "elsewhere")
        ada.in_channel("elsewhere")
    elif whose == "in a DM":
        ada.in_channel("dm")
    message = await made(live_bot, ada, song, private=whose == "private")
    job_id = job_id_of(message)
    if whose == "forgotten":
        await forget(ada)
        await ada.wait_for(lambda found: "deleted" in str(found).lower())
    renders = len(live_bot.audio.renders)
    said = await stranger.try_all(job_id)
    assert len(said) >= 20
    assert said == await stranger.try_all("zzzzz")
    assert all(each.startswith(NOT_FOUND) for each in said)
    assert len(live_bot.audio.renders) == renders
    assert await live_bot.open_replies.every() == []


async def test_what_is_the_users_alone_is_refused_to_those_who_see_the_card(
    live_bot: LiveBot, ada: SandboxClient, stranger: Stranger, song: Path
) -> None:
    job_id = job_id_of(await made(live_bot, ada, song))
    said = [await stranger.press(each.format(job=job_id)) for each in OWN]
    said.append(await stranger.choose(f"extra:{job_id}:plain", "recipe"))
    said.append(await stranger.choose(f"recipe:{job_id}", "vocals"))
    assert all(each.startswith(NOT_FOUND) for each in said)
    [job] = await live_bot.records()
    assert job.has_stems


async def test_nothing_is_made_of_deleted_stems(
    live_bot: LiveBot, ada: SandboxClient, stranger: Stranger, song: Path
) -> None:
    job_id = job_id_of(await made(live_bot, ada, song))
    await made(live_bot, ada, song, stems="vocals")
    job = await live_bot.jobs.get(job_id)  # type: ignore[arg-type] # an id as it is shown
    assert job is not None
    await live_bot.services.redelivery.discard(job)
    said = [await stranger.press(each.format(job=job_id)) for each in RENDERING]
    said += [await stranger.choose(f"extra:{job_id}:plain", each) for each in CHOICES]
    said += [await stranger.submit(f"{form}:{job_id}:plain", FORMS[form]) for form in FORMS]
    assert all(each.startswith(GONE) for each in said), said
    assert live_bot.audio.renders == []


async def test_a_blocked_person_has_nothing_made(
    live_bot: LiveBot, ada: SandboxClient, stranger: Stranger, song: Path
) -> None:
    job_id = job_id_of(await made(live_bot, ada, song))
    await ada.command("admin block", user=str(stranger.user.id))
    await ada.wait_for(says("is blocked everywhere"))
    said = [await stranger.press(each.format(job=job_id)) for each in RENDERING]
    said += [await stranger.choose(f"extra:{job_id}:plain", each) for each in CHOICES]
    said += [await stranger.submit(f"{form}:{job_id}:plain", FORMS[form]) for form in FORMS]
    assert all(each.startswith(BLOCKED) for each in said), said
    assert live_bot.audio.renders == []


TOKENS = ("k13", "k-13", "s49", "s151", "vocals201", "mix50", "k1.k1", "c100", "k01", "count3", "-")
FORM_VALUES: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("set-key", {"key": "99", "speed": "100"}),
    ("set-key", {"key": "1", "speed": "1000000000000"}),
    ("set-key", {"key": "up", "speed": "100"}),
    ("set-key", {"key": "1e3", "speed": "100"}),
    ("set-key", {"key": "9" * 4000, "speed": "100"}),
    ("set-key", {"speed": "100"}),
    ("set-key", {}),
    ("set-mix", {"vocals": "-1"}),
    ("set-mix", {"vocals": "201"}),
    ("set-mix", {"vocals": "loud"}),
    ("set-mix", {"mix": "no-banjo"}),
    ("set-mix", {"levels": "banjo 50"}),
    ("set-mix", {"levels": "vocals 999"}),
    ("set-mix", {"levels": "vocals 0, instrumental 0"}),
    ("set-mix", {"vocals": "0", "instrumental": "0"}),
    ("set-mix", {"vocals": "50", "click": "louder"}),
    ("set-mix", {"vocals": "50", "click": "count-in"}),
)


async def test_forged_wishes_are_refused_in_words(
    live_bot: LiveBot,
    ada: SandboxClient,
    stranger: Stranger,
    song: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    job_id = job_id_of(await made(live_bot, ada, song))
    said = [await stranger.press(f"r:{job_id}:{token}:mp3") for token in TOKENS]
    said += [await stranger.press(f"r:{job_id}:k1:{each}") for each in ("exe", "mp3:mp3", "-")]
    said += [await stranger.press(f"zip:{job_id}:plain:{each}") for each in ("exe", ".._..")]
    said += [await stranger.choose(f"extra:{job_id}:plain", each) for each in ("exe", "zip:exe")]
    said += [
        await stranger.submit(f"{form}:{job_id}:plain", values) for form, values in FORM_VALUES
    ]
    allowed = ("That key, speed or level is out of range.", "These stems can't give that mix.")
    assert [each for each in said if not each.startswith(allowed)] == []
    assert unexpected(caplog) == []
    assert live_bot.audio.renders == []
    assert await live_bot.open_replies.every() == []


async def test_a_mix_of_silence_is_refused_wherever_it_comes_from(
    live_bot: LiveBot, ada: SandboxClient, stranger: Stranger, song: Path
) -> None:
    job_id = job_id_of(await made(live_bot, ada, song))
    silent = Rendition.from_token("instrumental0.vocals0").token
    said = await stranger.press(f"r:{job_id}:{silent}:mp3")
    assert said.startswith("These stems can't give that mix.")
    assert live_bot.audio.renders == []


async def test_where_the_bot_may_no_longer_be_used_nothing_is_made(
    live_bot: LiveBot, ada: SandboxClient, stranger: Stranger, song: Path
) -> None:
    job_id = job_id_of(await made(live_bot, ada, song))
    live_bot.services.admission._allowed_guilds = frozenset({1})  # as the next start would find it
    said = [await stranger.press(each.format(job=job_id)) for each in RENDERING]
    said += [await stranger.choose(f"extra:{job_id}:plain", each) for each in CHOICES]
    said += [await stranger.submit(f"{form}:{job_id}:plain", FORMS[form]) for form in FORMS]
    assert set(said) == {messages.problem(Problem(Reason.NOT_OFFERED_HERE))}
    assert live_bot.audio.renders == []
