import asyncio
from pathlib import Path

from sandbox.client import SandboxClient
from sandbox.server import Sandbox
from tests.sandbox.jukebox import Jukebox


async def test_commands_are_registered_with_their_options(
    bot: Jukebox, ada: SandboxClient
) -> None:
    state = await ada.state()
    split = next(command for command in state["commands"] if command["name"] == "split")
    assert [option["name"] for option in split["options"]] == ["file", "stems", "provider"]
    assert split["options"][1]["choices"][0]["value"] == "karaoke"
    assert state["bot"]["online"]


async def test_deferred_answer_is_filled_with_files(
    bot: Jukebox, ada: SandboxClient, song: Path, tmp_path: Path
) -> None:
    answer = await ada.command("split", file=song)
    reply = await ada.wait_for(lambda message: not message["loading"] and message["attachments"])
    assert reply["id"] == answer["message_id"]
    assert reply["content"] == "Neon_Rain.mp3 karaoke"
    assert reply["interaction"]["name"] == "split"
    assert not reply["edited"]
    [stem] = reply["attachments"]
    assert stem["filename"] == "Neon Rain (Vocals).mp3"
    await ada.download(stem, tmp_path / "stem.mp3")
    assert (tmp_path / "stem.mp3").read_bytes() == b"\0" * 1000
