"""`make demo`: run one real `/split` in the sandbox, print its progress and save the stems."""

import argparse
import asyncio
import re
import sys
import tempfile
import time
from pathlib import Path

from sandbox.bot_process import BotProcess
from sandbox.client import SandboxClient, SandboxRefused
from sandbox.errors import Json
from sandbox.server import Sandbox
from sandbox.song import write_song

READY_WITHIN_S = 60.0
FOLDER = Path("stems")
ENDED_WITHOUT_STEMS = "Nothing was charged."
_MARKUP = re.compile(r"\\(.)|[*_`~|]|<(?:t|@|#)[^>]*>")


async def demo(song: Path | None, recipe: str) -> int:
    """Split a song, and return 0 if its stems were saved."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="stemcord-") as folder:
        home = Path(folder)
        chosen = song or write_song(home / "Neon Rain.wav")
        log = home / "bot.log"
        async with (
            Sandbox() as sandbox,
            BotProcess(sandbox, data_dir=home / "data", log=log),
            SandboxClient(sandbox.base_url) as ada,
        ):
            try:
                await until_registered(ada)
                print(f"Ada: /split file: {chosen.name} stems: {recipe}")
                reply = await _split(ada, chosen, recipe)
            except (SandboxRefused, TimeoutError) as exc:
                print(f"The bot did not answer: {exc}\n{log.read_text()}", file=sys.stderr)
                return 1
            saved = [await _save(ada, each) for each in _stems(reply)]
    for path in saved:
        print(f"  {path}  ({path.stat().st_size / 2**20:.1f} MiB)")
    print(f"{len(saved)} stems in {time.monotonic() - started:.0f} s.")
    return 0 if saved else 1


async def until_registered(ada: SandboxClient) -> None:
    """Wait until the bot is online and its commands are registered."""
    async with asyncio.timeout(READY_WITHIN_S):
        while True:
            state = await ada.state()
            known = {command["name"] for command in state["commands"]}
            if state["bot"]["online"] and "split" in known:
                return
            await asyncio.sleep(0.1)


async def _split(ada: SandboxClient, song: Path, recipe: str) -> Json:
    answer = await ada.command("split", file=song, stems=recipe)
    shown = ""
    reply: Json = {}
    async for reply in ada.follow(answer["message_id"]):
        text = _text(reply)
        if text and text != shown:
            print("\n".join(f"  │ {line}" for line in text.splitlines()), flush=True)
            print("  ╵", flush=True)
        shown = text
        if _stems(reply) or ENDED_WITHOUT_STEMS in text:
            break
    return reply


def _text(message: Json) -> str:
    parts = [message["content"]]
    for embed in message["embeds"]:
        parts += [embed.get("title", ""), embed.get("description", "")]
        parts += [f"{field['name']}: {field['value']}" for field in embed.get("fields", ())]
        parts.append(embed.get("footer", {}).get("text", ""))
    return _MARKUP.sub(lambda found: found[1] or "", "\n".join(part for part in parts if part))


def _stems(message: Json) -> list[Json]:
    return [each for each in message["attachments"] if each["content_type"].startswith("audio/")]


async def _save(ada: SandboxClient, attachment: Json) -> Path:
    path = FOLDER / Path(attachment["filename"]).name
    await ada.download(attachment, path)
    return path


def main() -> int:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(usage="make demo [SONG=my.mp3]", description=__doc__)
    parser.add_argument(
        "song", nargs="?", type=Path, help="an audio file; default: a generated song"
    )
    parser.add_argument("--stems", default="karaoke", help="what to split into")
    arguments = parser.parse_args()
    if arguments.song is not None and not arguments.song.is_file():
        parser.error(f"there is no file {arguments.song}")
    FOLDER.mkdir(exist_ok=True)
    return asyncio.run(demo(arguments.song, arguments.stems))


if __name__ == "__main__":
    sys.exit(main())
