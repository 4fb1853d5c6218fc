"""Guessed addresses of pages, renditions and archives get the same answers as unknown jobs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.job import Job, State
from bot.domain.recipes import AudioFormat, Stem
from bot.domain.renditions import Rendition
from bot.domain.titles import linked_name, linked_zip_name
from tests.support import audio_files
from tests.support.mixer_server import MixerServer, open_mixer

STEMS = {Stem.INSTRUMENTAL: audio_files.tone(2.0), Stem.VOCALS: audio_files.tone(2.0)}
SECRET = "A" * 24
NOBODY = "zzzzz"
PAGES = ("m/{ticket}/", "m/{ticket}/song.json", "m/{ticket}/0.opus", "m/{ticket}/0.flac")
FILES = tuple(
    f"r/{{ticket}}/{name}"
    for name in (
        "vocals.mp3",
        linked_name(Stem.VOCALS, AudioFormat.MP3, Rendition(cents=-200)),
        linked_zip_name(AudioFormat.FLAC, Rendition()),
        linked_zip_name(AudioFormat.FLAC, Rendition(speed_percent=90)),
        "songs-mp3.0123456789ab.zip",
        "..%2Finput",
        "vocals.k99.mp3",
    )
)


@pytest.fixture
async def mixer(tmp_path: Path) -> AsyncIterator[MixerServer]:
    async with open_mixer(tmp_path) as opened:
        yield opened


async def answer(mixer: MixerServer, path: str) -> tuple[int, bytes, dict[str, str]]:
    """Return the response of an address, without the time."""
    status, body, headers = await mixer.get(f"{mixer.base_url}/{path}")
    return status, body, {name: value for name, value in headers.items() if name != "Date"}


@pytest.mark.parametrize("state", [State.DELIVERED, State.PROCESSING, State.FAILED])
@pytest.mark.parametrize("path", [*PAGES, *FILES, "s/{ticket}/song.mp3"])
async def test_a_guess_learns_not_even_whether_there_is_a_job(
    mixer: MixerServer, path: str, state: State
) -> None:
    job, _ = await mixer.put(STEMS, state=state)
    found = await answer(mixer, path.format(ticket=f"{job.id}.{SECRET}"))
    assert found == await answer(mixer, path.format(ticket=f"{NOBODY}.{SECRET}"))
    assert found[0] == 404
    assert job.id not in str(found)


async def tickets_of(mixer: MixerServer, job: Job) -> dict[str, str]:
    """Return a ticket of each kind."""
    page = await mixer.links.to_mixer(job)
    stem = await mixer.links.to_result(job, "vocals.mp3")
    song = await mixer.links.to_source(job)
    assert page is not None
    return {
        "m": page.url.rstrip("/").split("/")[-1],
        "r": stem.url.split("/")[-2],
        "s": song.url.split("/")[-2],
    }


async def test_a_ticket_opens_nothing_but_what_it_was_made_for(mixer: MixerServer) -> None:
    job, _ = await mixer.put(STEMS)
    mixer.files.of(job.id).linked.mkdir(exist_ok=True)
    (mixer.files.of(job.id).linked / "vocals.mp3").write_bytes(b"sound")
    tickets = await tickets_of(mixer, job)
    assert (await answer(mixer, f"r/{tickets['r']}/vocals.mp3"))[:2] == (200, b"sound")
    for kind, ticket in tickets.items():
        for path in (*PAGES, *FILES):
            is_own = (kind, path) in {("r", FILES[0]), *(("m", page) for page in PAGES)}
            status, body, _ = await answer(mixer, path.format(ticket=ticket))
            assert is_own or (status, b"sound" in body) == (404, False), (kind, path)
