"""The language of each text, where users with different languages share a channel."""

import asyncio
from pathlib import Path

from sandbox.client import SandboxClient
from tests.integration.conversations.live_bot import LiveBot
from tests.integration.conversations.scenes import Message, has_stems, more, says, until_sent


async def test_a_public_card_speaks_its_askers_language_and_an_answer_its_readers(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    await ben.speak("ja")
    await ben.command("split", file=song)
    card = await ada.wait_for(has_stems)
    [embed] = card["embeds"]
    assert embed["title"] == "Neon Rain · カラオケ"
    assert "インストとボーカル、" in embed["description"]
    await more(ada, card, "recipe")
    refused = await ada.wait_for(says("I can't find that song among yours."))
    assert refused["ephemeral"]


async def test_suggestions_are_in_the_language_of_whoever_types(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    live_bot.provider.gate = asyncio.Event()
    await ada.command("split", file=song)
    await until_sent(live_bot)
    [english] = await ada.autocomplete("cancel", "job", "")
    assert "· Karaoke:" in english["name"]
    await ada.speak("pt-BR")
    [portuguese] = await ada.autocomplete("cancel", "job", "")
    assert "· Karaokê:" in portuguese["name"]
    assert portuguese["value"] == english["value"]
    live_bot.provider.gate.set()


async def test_lists_and_admin_cards_follow_the_reader(
    live_bot: LiveBot, ada: SandboxClient
) -> None:
    await ada.speak("es-419")
    await ada.command("jobs")
    await ada.wait_for(lambda message: titled(message) == "Tus canciones")
    await ada.command("admin stats")
    await ada.wait_for(lambda message: titled(message) == "Estadísticas")
    await ada.command("admin defaults", delivery="links")
    await ada.wait_for(lambda message: titled(message) == "Este servidor")


def titled(message: Message) -> str:
    return str(message["embeds"][0]["title"]) if message["embeds"] else ""
