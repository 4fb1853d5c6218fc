"""Helpers for tests of whole conversations: message predicates, places and waits."""

import asyncio
from typing import Any

from bot.domain.job import Job
from sandbox.client import SandboxClient
from sandbox.entities import EVERYONE, Guild, Role, User
from sandbox.entities import Message as SentMessage
from tests.integration.conversations.live_bot import LiveBot

Message = dict[str, Any]


def shows(words: str) -> Any:
    """Return a predicate for messages whose embed contains these words."""

    def accepts(message: Message) -> bool:
        return any(words in str(embed) for embed in message["embeds"])

    return accepts


def says(words: str) -> Any:
    """Return a predicate for messages whose text contains these words."""

    def accepts(message: Message) -> bool:
        return words in message["content"]

    return accepts


def has_stems(message: Message) -> bool:
    """Return whether a message has files."""
    return bool(message["attachments"])


def labels(message: Message) -> list[str]:
    """Return the labels of the message's buttons."""
    items = [item for row in message["components"] for item in row["components"]]
    return [item["label"] for item in items if "label" in item]


def menu_of(message: Message) -> Message:
    """Return the message's only menu."""
    items = [item for row in message["components"] for item in row["components"]]
    menu: Message
    [menu] = [item for item in items if "options" in item]
    return menu


async def more(person: SandboxClient, message: Message, value: str) -> None:
    """Choose from the menu below a result, such as `flac`, `dm` or `recipe`."""
    await person.press(message, menu_of(message)["custom_id"], values=[value])


def offers(message: Message) -> list[str]:
    """Return what the message's menu offers."""
    return [option["value"] for option in menu_of(message)["options"]]


def filenames(message: Message) -> list[str]:
    """Return the names of the message's files."""
    return [attachment["filename"] for attachment in message["attachments"]]


def job_id_of(message: Message) -> str:
    """Return the job id in a card's footer."""
    return str(message["embeds"][0]["footer"]["text"])


def person(live_bot: LiveBot, name: str) -> User:
    """Return a user by name."""
    return next(user for user in live_bot.sandbox.world.people if user.name == name)


def settle_outside(live_bot: LiveBot, place: str) -> str:
    """Create a channel of which the bot is not a member, and return its id."""
    world = live_bot.sandbox.world
    ada, ben = person(live_bot, "Ada"), person(live_bot, "Ben")
    world.change_user(ada.id, accepts_dms=ada.accepts_dms, installed_app=True)
    match place:
        case "user install":
            guild_id = world.snowflakes.next()
            everyone = Role(id=guild_id, name="@everyone", permissions=EVERYONE)
            world.add_guild(
                Guild(
                    id=guild_id,
                    name="Elsewhere",
                    owner_id=ben.id,
                    roles=(everyone,),
                    members={ada.id: (), ben.id: ()},
                    has_bot=False,
                )
            )
            channel = world.add_text_channel(guild_id, "elsewhere")
        case "group":
            cleo = person(live_bot, "Cleo")
            channel = world.add_private_channel("band", members=[ada.id, ben.id, cleo.id])
        case _:
            channel = world.add_private_channel("duet", members=[ada.id, ben.id])
    return str(channel.id)


async def forward(live_bot: LiveBot, message: Message, name: str, channel_id: str) -> Message:
    """Let a user forward a message to a channel, and return the new message."""
    world = live_bot.sandbox.world
    forwarded = SentMessage(
        id=world.snowflakes.next(),
        channel_id=int(channel_id),
        author_id=person(live_bot, name).id,
        created_at=world.clock.now(),
        snapshot=world.messages[int(message["id"])],
    )
    world.messages[forwarded.id] = forwarded
    channel = world.channels[forwarded.channel_id]
    await live_bot.sandbox.gateway.dispatch_message("MESSAGE_CREATE", forwarded, channel)
    return {"id": str(forwarded.id), "channel_id": channel_id}


async def until_sent(live_bot: LiveBot) -> None:
    """Wait until the provider has the song. Its card may not show it yet."""
    async with asyncio.timeout(30):
        while not live_bot.provider.submits:
            await asyncio.sleep(0.005)


async def until_nothing_is_owed(live_bot: LiveBot) -> None:
    """Wait until no job is unfinished and no reply is stale."""
    async with asyncio.timeout(30):
        while await live_bot.jobs.unfinished() or await live_bot.jobs.owed():
            await asyncio.sleep(0.01)


async def until_over(live_bot: LiveBot) -> Job:
    """Wait until the only job is final and its reply is up to date."""
    [job] = await live_bot.jobs.unfinished()
    await until_nothing_is_owed(live_bot)
    found = await live_bot.jobs.get(job.id)
    assert found is not None
    return found


async def made(live_bot: LiveBot, people: SandboxClient, song: Any, **options: Any) -> Message:
    """Split a song, and return the message with its stems once the delivery is stored."""
    answer = await people.command("split", file=song, **options)
    await until_nothing_is_owed(live_bot)
    [message] = [each for each in await people.messages() if each["id"] == answer["message_id"]]
    assert has_stems(message)
    return message
