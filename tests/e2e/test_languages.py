"""Users whose Discord is in other languages, with restarts of the bot."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.errors import Json
from tests.e2e import reading
from tests.e2e.bot_harness import BotHarness, ConnectedUser, open_bot_harness
from tests.e2e.conftest import SETTINGS

pytestmark = [pytest.mark.e2e, pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tongue:
    """The texts that a user with this locale reads."""

    locale: str
    separating: str
    charged: str
    other_stems: str
    choose: str
    no_audio: str
    not_found: str


TONGUES = (
    Tongue(
        locale="ja",
        separating="分離中",
        charged="1分使いました（今日の残り：2/3分）",
        other_stems="別のステム",
        choose="何を作りますか？",
        no_audio="このファイルは音声として読めません。",
        not_found="そのような曲は見つかりません。`/jobs` で曲の一覧を確認できます。",
    ),
    Tongue(
        locale="es-ES",
        separating="está separando",
        charged="Usaste 1 min. Disponibles hoy: 2 de 3",
        other_stems="Otras pistas",
        choose="¿Qué quieres hacer con esta canción?",
        no_audio="No puedo leer este archivo como audio.",
        not_found="No encuentro esa canción entre las tuyas. Mira tu lista con `/jobs`.",
    ),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BotHarness]:
    async with open_bot_harness(tmp_path_factory.mktemp("babel"), SETTINGS) as harness:
        yield harness


async def guest_of(home: BotHarness, tongue: Tongue, *, channel: str = "karaoke") -> ConnectedUser:
    guest = await home.guest(channel=channel)
    await guest.speak(tongue.locale)
    return guest


def says(words: str) -> Callable[[Json], bool]:
    return lambda message: words in reading.text(message)


async def test_cards_keep_to_the_askers_language_when_the_bot_is_killed(
    home: BotHarness, song: Path
) -> None:
    guests = [await guest_of(home, tongue) for tongue in TONGUES]
    async with home.idle_engine(song):
        answers = [await guests[0].split(song, stems="karaoke")]
        await guests[0].sees(answers[0], says(TONGUES[0].separating))
        # The second song is queued until after the restart.
        answers.append(await guests[1].split(song, stems="karaoke"))
        await guests[1].sees(answers[1], says("En cola"))
        await home.kill()
    await home.start()
    for guest, tongue, answer in zip(guests, TONGUES, answers, strict=True):
        reply = await guest.sees(answer)
        assert tongue.charged in reading.text(reply)
        assert reading.names(reply) == ["Neon Rain (Instrumental).mp3", "Neon Rain (Vocals).mp3"]
        [menu] = [
            each for row in reply["components"] for each in row["components"] if "options" in each
        ]
        options = {option["label"]: option["value"] for option in menu["options"]}
        await guest.press(reply, menu["custom_id"], values=[options[tongue.other_stems]])
        await guest.wait_for(says(tongue.choose))


@pytest.mark.parametrize("tongue", TONGUES, ids=lambda tongue: tongue.locale)
async def test_errors_are_told_in_the_readers_language(
    home: BotHarness, tmp_path: Path, tongue: Tongue
) -> None:
    guest = await guest_of(home, tongue)
    text = tmp_path / "Neon Rain.mp3"
    text.write_text("la la la, with no sound at all " * 100)
    card = await guest.sees(await guest.split(text), says(tongue.no_audio))
    assert card["components"] == []
    refused = await guest.sees(await guest.command("cancel", job="zzzzz"), says(tongue.not_found))
    assert refused["ephemeral"]


async def test_a_dm_is_answered_in_the_language_of_ones_latest_song(
    home: BotHarness, song: Path
) -> None:
    japanese = TONGUES[0]
    guest = await guest_of(home, japanese, channel="dm")
    await guest.say("", song)
    asked = await guest.wait_for(says("What should I make from it?"))
    assert any("Karaoke" in label for label in labels_of(asked)), "nobody knows any better yet"
    await guest.result(song, stems="vocals")
    await guest.say("", song)
    asked = await guest.wait_for(says(japanese.choose))
    assert "カラオケ" in labels_of(asked)


async def test_commands_are_told_to_discord_in_every_language(home: BotHarness) -> None:
    commands = {each["name"]: each for each in home.sandbox.world.commands[None]}
    assert commands["split"]["description_localizations"]["pt-BR"] == "Separa uma música em stems"
    assert commands["Split this audio"]["name_localizations"]["ja"] == "この音声を分離"
    [stems] = [each for each in commands["split"]["options"] if each["name"] == "stems"]
    names = {each["value"]: each["name_localizations"]["es-419"] for each in stems["choices"]}
    assert names["karaoke"] == "Karaoke: instrumental y voz"


def labels_of(message: Json) -> list[str]:
    rows = message["components"]
    return [item.get("label", "") for row in rows for item in row.get("components", [])]
