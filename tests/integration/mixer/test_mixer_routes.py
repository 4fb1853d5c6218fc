"""The mixer page over real HTTP: content, access and expiry."""

import asyncio
import json
import struct
from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urljoin

import pytest
import pytest_asyncio

from bot.audio.tools import AudioTools
from bot.domain.job import JobId, State
from bot.domain.recipes import Recipe, Stem
from bot.mixer import mixer_routes
from tests.support import audio_files
from tests.support.mixer_server import MixerServer, open_mixer

TONE = audio_files.tone(5.0)
STEMS = {Stem.INSTRUMENTAL: TONE, Stem.VOCALS: 0.3 * TONE}
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def audio() -> AsyncIterator[AudioTools]:
    """Tools whose fork server, once started, serves one test after the other."""
    async with AudioTools() as tools:
        yield tools


@pytest_asyncio.fixture(loop_scope="module")
async def mixer(tmp_path: Path, audio: AudioTools) -> AsyncIterator[MixerServer]:
    async with open_mixer(tmp_path, audio=audio) as opened:
        yield opened


async def test_the_document_holds_no_word_of_the_job_and_lets_nothing_foreign_in(
    mixer: MixerServer,
) -> None:
    job, url = await mixer.put(STEMS, title="Neon Rain")
    status, body, headers = await mixer.get(url)
    assert status == HTTPStatus.OK
    assert b"Neon" not in body
    assert job.id.encode() not in body
    assert PAGE_HEADERS.items() <= dict(headers).items()
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self' 'wasm-unsafe-eval'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


async def test_the_manifest_describes_song_and_stems(mixer: MixerServer) -> None:
    job, url = await mixer.put(STEMS, title="Neon Rain")
    status, body, headers = await mixer.get(f"{url}song.json")
    told = json.loads(body)
    assert status == HTTPStatus.OK
    assert PAGE_HEADERS.items() <= dict(headers).items()
    assert (told["title"], told["artist"], told["seconds"]) == ("Neon Rain", None, 5.0)
    assert (told["chunk"], told["packs"]) == (2, 3)
    assert told["codecs"] == {"opus": 48_000, "flac": 44_100}
    stems = [(each["id"], each["label"], each["tuned"]) for each in told["stems"]]
    assert stems == [("instrumental", "instrumental", True), ("vocals", "vocals", True)]
    assert len(b64decode(told["stems"][0]["peaks"])) == 600
    assert told["ends"] == (job.updated_at + timedelta(hours=24)).isoformat()
    assert told["words"]["mute"] == "mute {stem}"
    assert told["save"] == {}
    hidden = (str(job.request.user_id), "local", "Neon%20Rain", "an-interaction-token")
    assert not [word for word in hidden if word in body.decode()]


async def test_drums_are_marked_as_untuned_and_have_the_pictures_colour(
    mixer: MixerServer,
) -> None:
    four = (Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.OTHER)
    _, url = await mixer.put(dict.fromkeys(four, TONE), recipe=Recipe.FOUR_STEMS)
    told = json.loads((await mixer.get(f"{url}song.json"))[1])
    assert {each["id"]: each["tuned"] for each in told["stems"]} == {
        "vocals": True,
        "drums": False,
        "bass": True,
        "other": True,
    }
    assert told["stems"][1]["colour"] == "#ffb24d"


@pytest.mark.parametrize(
    ("locale", "play", "vocals"),
    [("en-GB", "play", "vocals"), ("es-419", "reproducir", "voz"), ("ja", "再生", "ボーカル")],
)
async def test_words_are_in_the_language_of_the_reply(
    mixer: MixerServer, locale: str, play: str, vocals: str
) -> None:
    _, url = await mixer.put(STEMS, locale=locale)
    told = json.loads((await mixer.get(f"{url}song.json"))[1])
    assert told["words"]["play"] == play
    assert told["stems"][1]["label"] == vocals
    assert "{stem}" in told["words"]["solo"]


async def test_downloads_are_those_that_exist(mixer: MixerServer) -> None:
    job, url = await mixer.put(STEMS)
    (mixer.files.of(job.id).linked / "vocals.flac").write_bytes(b"sound")
    told = json.loads((await mixer.get(f"{url}song.json"))[1])
    [save] = told["save"].pop("vocals")
    assert told["save"] == {}
    assert save["format"] == "FLAC"
    assert (await mixer.get(urljoin(url, save["url"])))[1] == b"sound"


@pytest.mark.parametrize("codec", ["opus", "flac"])
async def test_packs_hold_every_stem(mixer: MixerServer, codec: str) -> None:
    _, url = await mixer.put({**STEMS, Stem.VOCALS: 0 * TONE})
    for number in range(3):
        status, body, headers = await mixer.get(f"{url}{number}.{codec}")
        assert status == HTTPStatus.OK
        count, loud, silent = struct.unpack("<3I", body[:12])
        assert (count, loud, silent) == (2, len(body) - 12, 0)
        assert body[12:16] == {"opus": b"OggS", "flac": b"fLaC"}[codec]
        assert PAGE_HEADERS.items() <= dict(headers).items()
    assert (await mixer.get(f"{url}3.{codec}"))[0] == 404


async def test_a_pack_that_is_not_made_yet_is_asked_for_again(
    tmp_path: Path, audio: AudioTools
) -> None:
    async with open_mixer(tmp_path, audio=audio, pack_within_s=0.0) as mixer:
        _, url = await mixer.put(
            {Stem.INSTRUMENTAL: audio_files.tone(60.0)}, recipe=Recipe.INSTRUMENTAL
        )
        status, _, headers = await mixer.get(f"{url}29.opus")
        assert (status, headers["Retry-After"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "1")
        async with asyncio.timeout(60):
            while (await mixer.get(f"{url}29.opus"))[0] != HTTPStatus.OK:
                await asyncio.sleep(0.05)


async def test_many_listeners_share_one_set_of_packs(mixer: MixerServer) -> None:
    job, url = await mixer.put(STEMS)
    answers = await asyncio.gather(*(mixer.get(f"{url}{n % 3}.opus") for n in range(12)))
    assert {status for status, _, _ in answers} == {HTTPStatus.OK}
    assert len(list(mixer.files.of(job.id).packs.iterdir())) == 3


async def test_a_disk_without_room_is_told_and_leaves_no_packs(
    tmp_path: Path, audio: AudioTools
) -> None:
    async with open_mixer(tmp_path, audio=audio, max_gib=0.0001) as mixer:
        job, url = await mixer.put(STEMS)
        status, _, headers = await mixer.get(f"{url}0.opus")
        assert (status, headers["Retry-After"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "30")
        assert not mixer.files.of(job.id).packs.exists()


async def test_every_changed_character_of_the_secret_leads_nowhere(mixer: MixerServer) -> None:
    _, url = await mixer.put(STEMS)
    start, ticket = url.rstrip("/").rsplit("/", 1)
    job_id, mac = ticket.split(".")
    for at, char in enumerate(mac):
        forged = f"{mac[:at]}{'A' if char != 'A' else 'B'}{mac[at + 1 :]}"
        for tail in ("", "song.json", "0.opus"):
            assert (await mixer.get(f"{start}/{job_id}.{forged}/{tail}"))[0] == 404


async def test_the_secret_of_one_job_or_file_opens_no_other(mixer: MixerServer) -> None:
    job, url = await mixer.put(STEMS)
    other, _ = await mixer.put(STEMS)
    assert (await mixer.get(url.replace(job.id, other.id)))[0] == 404
    stranger = await mixer.links.to_mixer(replace(job, id=JobId("k7f2q")))
    assert stranger is not None
    tail = stranger.url.removeprefix("http://127.0.0.1")
    assert (await mixer.get(f"{mixer.base_url}{tail}"))[0] == 404
    file = await mixer.links.to_result(job, "vocals.flac")
    ticket = file.url.split("/")[-2]
    assert (await mixer.get(f"{mixer.base_url}/m/{ticket}/"))[0] == 404


@pytest.mark.parametrize("tail", ["..%2F..%2Finput", "input", "00000000.opus", "-1.opus", "0.mp3"])
async def test_no_path_leads_elsewhere(mixer: MixerServer, tail: str) -> None:
    job, url = await mixer.put(STEMS)
    mixer.files.of(job.id).input.write_bytes(b"the song")
    assert (await mixer.get(f"{url}{tail}"))[0] == 404


async def _all_of(mixer: MixerServer, url: str) -> set[int]:
    return {(await mixer.get(f"{url}{tail}"))[0] for tail in ("", "song.json", "0.opus", "1.flac")}


async def test_the_address_ends_with_its_time(mixer: MixerServer) -> None:
    job, url = await mixer.put(STEMS)
    assert await _all_of(mixer, url) == {HTTPStatus.OK}
    link = await mixer.links.to_mixer(job)
    assert link is not None
    mixer.clock.at = link.expires_at
    assert await _all_of(mixer, url) == {HTTPStatus.GONE}


async def test_a_deleted_job_is_gone_at_the_next_request(mixer: MixerServer) -> None:
    job, url = await mixer.put(STEMS, locale="es-ES")
    assert await _all_of(mixer, url) == {HTTPStatus.OK}
    await mixer.files.remove(job.id)
    assert {(await mixer.get(f"{url}{tail}"))[0] for tail in ("song.json", "0.opus")} == {410}
    await mixer.jobs.mark_expired(job.id)
    assert await _all_of(mixer, url) == {HTTPStatus.GONE}
    told = json.loads((await mixer.get(f"{url}song.json"))[1])
    assert told == {"lang": "es", "gone": "Estas pistas ya no se conservan."}


async def test_packs_are_deleted_with_the_job_while_they_are_made(mixer: MixerServer) -> None:
    job, url = await mixer.put(
        {Stem.INSTRUMENTAL: audio_files.tone(90.0)}, recipe=Recipe.INSTRUMENTAL
    )
    assert (await mixer.get(f"{url}0.opus"))[0] == HTTPStatus.OK
    await mixer.delete(job)
    assert (await mixer.get(f"{url}1.opus"))[0] == HTTPStatus.GONE
    async with asyncio.timeout(20):
        while mixer.packs.is_making:
            await asyncio.sleep(0.02)
    assert not mixer.files.of(job.id).path.exists()


@pytest.mark.parametrize("state", [State.PROCESSING, State.READY, State.FAILED])
async def test_a_job_without_a_result_has_nothing_to_hear(mixer: MixerServer, state: State) -> None:
    _, url = await mixer.put(STEMS, state=state)
    assert (await mixer.get(f"{url}0.opus"))[0] == HTTPStatus.GONE


async def test_one_address_has_so_many_requests_at_a_time_and_others_theirs(
    tmp_path: Path, audio: AudioTools
) -> None:
    async with open_mixer(tmp_path, audio=audio, requests=2) as mixer:
        _, url = await mixer.put(STEMS)
        _, other = await mixer.put(STEMS)
        found = [(await mixer.get(f"{url}0.opus"))[0] for _ in range(3)]
        assert found == [HTTPStatus.OK, HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS]
        assert (await mixer.get(f"{other}0.opus"))[0] == HTTPStatus.OK
        mixer.clock.move(seconds=10)
        assert (await mixer.get(f"{url}0.opus"))[0] == HTTPStatus.OK


async def test_listeners_of_one_song_leave_connections_to_others(
    tmp_path: Path, audio: AudioTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixer_routes, "TRANSFERS_A_SONG", 2)
    async with open_mixer(tmp_path, audio=audio) as mixer:
        job, url = await mixer.put(STEMS)
        _, other = await mixer.put(STEMS)
        held = [await mixer.hold(job, url) for _ in range(2)]
        status, _, headers = await mixer.get(f"{url}0.flac")
        assert (status, headers["Retry-After"]) == (HTTPStatus.TOO_MANY_REQUESTS, "1")
        assert (await mixer.get(f"{other}0.opus"))[0] == HTTPStatus.OK
        for writer in held:
            writer.transport.abort()


async def test_assets_may_be_cached_for_ever_and_are_found_from_the_document(
    mixer: MixerServer,
) -> None:
    _, url = await mixer.put(STEMS)
    document = (await mixer.get(url))[1].decode()
    script = f"../x/{mixer.assets.digest}/page.js"
    assert script in document
    status, _, headers = await mixer.get(f"{mixer.base_url}/m/{script.removeprefix('../')}")
    assert status == HTTPStatus.OK
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Content-Type"].startswith("text/javascript")
    for path in ("x/0123456789abcdef/page.js", f"x/{mixer.assets.digest}/index.html"):
        assert (await mixer.get(f"{mixer.base_url}/m/{path}"))[0] == 404


async def test_a_date_beyond_the_calendar_is_a_bad_request(mixer: MixerServer) -> None:
    _, url = await mixer.put(STEMS)
    date = "Wed, 21 Oct 99999999999999999999 07:28:00 GMT"
    async with mixer.session.get(f"{url}0.opus", headers={"If-Modified-Since": date}) as answer:
        assert answer.status in (HTTPStatus.OK, HTTPStatus.BAD_REQUEST)


async def test_a_manifest_takes_one_child_however_often_it_is_read(
    mixer: MixerServer,
) -> None:
    job, url = await mixer.put(STEMS)
    first = await mixer.get(f"{url}song.json")
    mixer.files.of(job.id).master(Stem.VOCALS).write_bytes(b"no sound")
    assert (await mixer.get(f"{url}song.json"))[:2] == first[:2]


class CountingAudio(AudioTools):
    """Counts the children that measure peaks."""

    measured = 0

    async def peaks(self, stems: Sequence[Path], *, slices: int) -> tuple[str, ...]:
        self.measured += 1
        return await super().peaks(stems, slices=slices)


async def test_many_listeners_at_once_take_one_child_for_the_manifest(tmp_path: Path) -> None:
    async with CountingAudio() as audio, open_mixer(tmp_path, audio=audio) as mixer:
        _, url = await mixer.put(STEMS)
        answers = await asyncio.gather(*(mixer.get(f"{url}song.json") for _ in range(12)))
        assert {status for status, _, _ in answers} == {HTTPStatus.OK}
        assert audio.measured == 1


async def test_robots_stay_away(mixer: MixerServer) -> None:
    _, body, _ = await mixer.get(f"{mixer.base_url}/robots.txt")
    assert body == b"User-agent: *\nDisallow: /\n"


async def test_an_address_without_its_slash_leads_to_the_page(mixer: MixerServer) -> None:
    _, url = await mixer.put(STEMS)
    status, _, headers = await mixer.get(url.rstrip("/"))
    assert status == HTTPStatus.PERMANENT_REDIRECT
    assert url.endswith(f"/{headers['Location']}")
