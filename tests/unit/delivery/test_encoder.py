"""Attachments, links and notes, depending on mode, sizes and configuration."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.audio.tasks import DoesNotFit, Encoded
from bot.delivery.encoder import MESSAGE_BYTES, TAG_BYTES, DeliveryLimits, has_room_for_cover
from bot.delivery.port import Delivered, Delivery, Refused
from bot.domain.attempt import AttemptState
from bot.domain.guilds import DeliveryMode, GuildRules
from bot.domain.job import Job, State
from bot.domain.recipes import AudioFormat, Recipe, Stem
from bot.domain.renditions import Rendition
from bot.providers.interface import Model
from storage.stores.guild_settings import GuildStore
from tests.support.domain_factories import a_job
from tests.support.fakes import FakeAudio, FakeClock, FakeProvider
from tests.support.harness import ADA, Harness

MIB = 1024 * 1024
SIX = Model(
    name="six",
    stems=frozenset({Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.GUITAR, Stem.PIANO, Stem.OTHER}),
    sums_to_song=True,
)
PUBLIC = {"public_url": "https://stems.example.org/x"}
RATES = (256_000, 192_000, 128_000, 64_000)


@dataclass
class SizedAudio(FakeAudio):
    """Computes realistic sizes: lossy formats by bit rate, WAV by length, FLAC as half of WAV."""

    async def encode(self, stem: Path, into: Path, **asked: Any) -> Encoded:
        audio_format, most = asked["format"], asked["max_bytes"]
        wav = int(self.duration_s * 44_100 * 4)
        sizes: list[tuple[int, int | None]] = [(wav, None)]
        if audio_format is AudioFormat.FLAC:
            sizes = [(wav // 2, None)]
        elif audio_format is AudioFormat.MP3:
            sizes = [(int(rate / 8 * self.duration_s), rate) for rate in RATES]
        for size_bytes, bit_rate in sizes:
            if most is None or size_bytes <= most:
                into.write_bytes(b"song")
                return Encoded(
                    path=into, size_bytes=size_bytes, format=audio_format, bit_rate=bit_rate
                )
        raise DoesNotFit(needed_bytes=sizes[-1][0], max_bytes=most or 0)


class GatedAudio(FakeAudio):
    """Blocks encoding until the picture is drawn."""

    async def picture(self, stems: Sequence[tuple[str, Path]], into: Path) -> Path:
        assert self.gate is not None
        self.gate.set()
        return await super().picture(stems, into)


async def delivered(
    root: Path,
    *,
    minutes: float = 4,
    provider: FakeProvider | None = None,
    rules: GuildRules | None = None,
    answers: Sequence[Delivered | Refused] = (),
    settings: dict[str, Any] | None = None,
    **asked: Any,
) -> tuple[Harness, Job, Delivery]:
    """Split a song, and return the harness, the job and the last delivery shown."""
    audio: Any = SizedAudio(duration_s=minutes * 60)
    harness = await Harness.build(
        root, provider or FakeProvider(), audio=audio, clock=FakeClock(), **(settings or {})
    )
    if rules is not None:
        await GuildStore(db=harness.db, clock=harness.clock).change_rules(
            7, lambda _: rules, by=ADA
        )
    harness.delivery.answers = list(answers)
    job = await harness.split(**asked)
    job = await harness.until(job.id)
    await harness.close()
    _, parcel = harness.delivery.shown[-1] if harness.delivery.shown else (job, None)
    assert parcel is not None
    return harness, job, parcel


def attached(parcel: Delivery) -> list[str]:
    return [file.filename for file in (*parcel.files, *parcel.more)]


def linked(parcel: Delivery) -> list[tuple[Stem, AudioFormat | None]]:
    return [(link.stem, link.audio_format) for link in parcel.links]


async def test_the_cover_of_the_song_is_kept_in_its_stems_and_in_a_repeat(
    harness: Harness,
) -> None:
    harness.audio.cover, harness.downloads.song = b"jpeg", b"the very same"
    first = await harness.until((await harness.split()).id)
    await harness.until_idle()
    again = await harness.until((await harness.split()).id)
    await harness.until_idle()
    for job, used in ((first, harness.audio.covers[:2]), (again, harness.audio.covers[2:])):
        cover = harness.files.of(job.id).cover
        assert cover.read_bytes() == b"jpeg"
        assert used == [cover, cover]


async def test_a_song_without_a_cover_has_none_in_its_stems(harness: Harness) -> None:
    await harness.until((await harness.split()).id)
    assert harness.audio.covers == [None, None]


async def test_a_cover_is_left_out_where_flac_files_would_not_fit_with_it(tmp_path: Path) -> None:
    stem = (Stem.VOCALS, tmp_path / "vocals.flac")
    stem[1].write_bytes(bytes(1_000))
    cover = tmp_path / "cover.jpg"
    cover.write_bytes(bytes(1_000))
    job = a_job()
    for limit, has_room in ((1_500 + TAG_BYTES, False), (2_000 + TAG_BYTES, True)):
        terms = DeliveryLimits(limit_bytes=limit, cover=cover)
        assert has_room_for_cover(job, [stem], terms) is has_room


async def test_artist_and_album_of_the_song_are_kept_in_its_stems(harness: Harness) -> None:
    harness.audio.title, harness.audio.artist = "Neon Rain", "Ada"
    harness.audio.album = "Blue Hour"
    job = await harness.until((await harness.split(recipe=Recipe.VOCALS)).id)
    assert (job.title, job.artist, job.album) == ("Ada - Neon Rain", "Ada", "Blue Hour")
    assert harness.audio.tags == [
        {"title": "Neon Rain (Vocals)", "artist": "Ada", "album": "Blue Hour"}
    ]


async def test_a_song_without_tags_has_stems_with_a_title_alone(harness: Harness) -> None:
    await harness.until((await harness.split(recipe=Recipe.VOCALS)).id)
    assert harness.audio.tags == [{"title": "Neon Rain (Vocals)"}]


async def test_small_song_is_attached_even_where_links_could_be(tmp_path: Path) -> None:
    _, _, parcel = await delivered(tmp_path, settings=PUBLIC)
    assert attached(parcel) == ["Neon Rain (Instrumental).mp3", "Neon Rain (Vocals).mp3"]
    assert parcel.links == ()
    assert parcel.sent is None
    assert parcel.alternatives == (AudioFormat.FLAC, AudioFormat.WAV)


async def test_the_picture_is_drawn_while_stems_are_encoded(tmp_path: Path) -> None:
    gate = asyncio.Event()
    audio: Any = GatedAudio(gate=gate)
    harness = await Harness.build(tmp_path, FakeProvider(), audio=audio)
    job = await harness.split()
    try:
        async with asyncio.timeout(5):
            await gate.wait()
    finally:
        gate.set()
        job = await harness.until(job.id)
        await harness.close()
    assert job.state is State.DELIVERED


async def test_what_does_not_fit_is_linked_in_the_format_asked_for(tmp_path: Path) -> None:
    harness, job, parcel = await delivered(tmp_path, settings=PUBLIC, audio_format=AudioFormat.WAV)
    assert parcel.files == ()
    assert linked(parcel) == [
        (Stem.INSTRUMENTAL, AudioFormat.WAV),
        (Stem.VOCALS, AudioFormat.WAV),
    ]
    assert parcel.sent is None
    kept = harness.files.of(job.id).linked
    assert sorted(path.name for path in kept.iterdir()) == ["instrumental.wav", "vocals.wav"]
    [first, _] = parcel.links
    assert first.url.startswith(f"https://stems.example.org/x/r/{job.id}.")
    assert first.expires_at == job.updated_at + timedelta(hours=24)


async def test_a_wav_that_is_too_large_is_sent_as_flac_with_a_word_about_it(tmp_path: Path) -> None:
    _, job, parcel = await delivered(tmp_path, minutes=1.5, audio_format=AudioFormat.WAV)
    assert attached(parcel) == ["Neon Rain (Instrumental).flac", "Neon Rain (Vocals).flac"]
    assert (parcel.audio_format, parcel.sent) == (AudioFormat.FLAC, "flac_instead")
    assert job.sent == "flac_instead"
    assert AudioFormat.WAV not in parcel.alternatives


async def test_without_links_it_is_sent_as_mp3_with_a_word_about_it(tmp_path: Path) -> None:
    _, _, parcel = await delivered(tmp_path, audio_format=AudioFormat.WAV)
    assert attached(parcel) == ["Neon Rain (Instrumental).mp3", "Neon Rain (Vocals).mp3"]
    assert parcel.sent == "mp3_instead"
    assert AudioFormat.WAV not in parcel.alternatives


async def test_long_song_is_attached_at_a_lower_rate_with_a_word_about_it(tmp_path: Path) -> None:
    _, _, parcel = await delivered(tmp_path, minutes=9)
    assert attached(parcel) == ["Neon Rain (Instrumental).mp3", "Neon Rain (Vocals).mp3"]
    assert parcel.sent == "lower_bit_rate"


async def test_long_song_is_linked_at_its_full_rate_where_links_are_on(tmp_path: Path) -> None:
    _, _, parcel = await delivered(tmp_path, minutes=9, settings=PUBLIC)
    assert attached(parcel) == []
    assert len(parcel.links) == 2
    assert parcel.sent is None


@pytest.mark.parametrize("audio_format", [AudioFormat.MP3, AudioFormat.FLAC])
async def test_links_can_be_all_that_is_sent(tmp_path: Path, audio_format: AudioFormat) -> None:
    _, _, parcel = await delivered(
        tmp_path, settings={**PUBLIC, "delivery": "links"}, audio_format=audio_format
    )
    assert attached(parcel) == []
    assert linked(parcel) == [(Stem.INSTRUMENTAL, audio_format), (Stem.VOCALS, audio_format)]


async def test_files_are_made_to_fit_where_links_are_not_wanted(tmp_path: Path) -> None:
    _, _, parcel = await delivered(
        tmp_path,
        settings={**PUBLIC, "delivery": "files"},
        audio_format=AudioFormat.WAV,
    )
    assert len(attached(parcel)) == 2
    assert (parcel.links, parcel.sent) == ((), "mp3_instead")
    assert AudioFormat.WAV not in parcel.alternatives


async def test_what_fits_nowhere_is_linked_even_where_files_are_wanted(tmp_path: Path) -> None:
    _, job, parcel = await delivered(
        tmp_path, minutes=60, settings={**PUBLIC, "delivery": "files", "max_duration_minutes": 90}
    )
    assert job.state is State.DELIVERED
    assert linked(parcel) == [
        (Stem.INSTRUMENTAL, AudioFormat.MP3),
        (Stem.VOCALS, AudioFormat.MP3),
    ]


async def test_servers_word_goes_before_the_houses(tmp_path: Path) -> None:
    _, _, parcel = await delivered(
        tmp_path, settings=PUBLIC, rules=GuildRules(delivery=DeliveryMode.LINKS)
    )
    assert attached(parcel) == []
    assert len(parcel.links) == 2


async def test_six_stems_go_into_two_messages_at_full_rate(tmp_path: Path) -> None:
    _, _, parcel = await delivered(
        tmp_path, provider=FakeProvider(models=(SIX,)), recipe=Recipe.SIX_STEMS
    )
    assert (len(parcel.files), len(parcel.more)) == (3, 3)
    assert parcel.sent is None
    for message in (parcel.files, parcel.more):
        assert sum(file.size_bytes for file in message) < MESSAGE_BYTES


async def test_where_one_message_is_all_six_stems_share_it(tmp_path: Path) -> None:
    _, job, parcel = await delivered(
        tmp_path,
        provider=FakeProvider(models=(SIX,)),
        recipe=Recipe.SIX_STEMS,
        answers=[Refused("no second message", one_only=True)],
    )
    assert job.state is State.DELIVERED
    assert (len(parcel.files), len(parcel.more)) == (6, 0)
    assert parcel.sent == "lower_bit_rate"
    assert sum(file.size_bytes for file in parcel.files) < MESSAGE_BYTES


async def test_six_large_stems_fill_two_messages_and_the_rest_is_linked(tmp_path: Path) -> None:
    _, _, parcel = await delivered(
        tmp_path,
        minutes=0.9,  # 9.1 MiB as WAV
        provider=FakeProvider(models=(SIX,)),
        recipe=Recipe.SIX_STEMS,
        audio_format=AudioFormat.WAV,
        settings=PUBLIC,
    )
    assert (len(parcel.files), len(parcel.more), len(parcel.links)) == (2, 2, 2)
    assert all(file.size_bytes < 10 * MIB for file in (*parcel.files, *parcel.more))


async def test_a_message_that_is_too_large_all_the_same_is_made_smaller(tmp_path: Path) -> None:
    harness, job, parcel = await delivered(
        tmp_path, minutes=5, answers=[Refused("status 413", too_large=True)]
    )
    first = harness.delivery.shown[0][1]
    assert job.state is State.DELIVERED
    assert parcel.files[0].size_bytes < 0.6 * 10 * MIB < first.files[0].size_bytes


class Vendor(FakeProvider):
    """Returns results at signed addresses."""

    def __init__(self, *urls: str, **declared: Any) -> None:
        super().__init__("vendor", **declared)
        self.urls = urls

    def finishes(self) -> Any:
        plain = super().finishes()
        files = zip(plain.files, self.urls, strict=True)
        return type(plain)(tuple(type(file)(url, file.stem) for file, url in files))


SIGNED = "https://cdn.vendor.example/{}.mp3?X-Amz-Date=20261120T120000Z&X-Amz-Expires={}"
VOCALS_ALONE = Model(name="vocals", stems=frozenset({Stem.VOCALS}), subtractable=True)


async def test_what_fits_nowhere_is_at_its_vendor_until_the_vendor_says(tmp_path: Path) -> None:
    urls = [SIGNED.format(stem, 86_400) for stem in ("instrumental", "vocals")]
    harness, job, parcel = await delivered(
        tmp_path, minutes=60, provider=Vendor(*urls), settings={"max_duration_minutes": 90}
    )
    assert job.state is State.DELIVERED
    assert [link.url for link in parcel.links] == urls
    assert linked(parcel) == [(Stem.INSTRUMENTAL, None), (Stem.VOCALS, None)]
    assert {link.expires_at for link in parcel.links} == {harness.clock.now() + timedelta(days=1)}


@pytest.mark.parametrize(
    "url",
    [
        SIGNED.format("vocals", 600),
        "http://cdn.vendor.example/vocals.mp3",
        "https://cdn.vendor.example/vocals.mp3?" + "x" * 600,
        "https://cdn.vendor.example/vocals).mp3",
    ],
)
async def test_address_that_ends_soon_or_reads_badly_is_not_shown(tmp_path: Path, url: str) -> None:
    provider = Vendor(url, models=(VOCALS_ALONE,))
    audio: Any = SizedAudio(duration_s=3600)
    harness = await Harness.build(tmp_path, provider, audio=audio, max_duration_minutes=90)
    job = await harness.until((await harness.split(recipe=Recipe.VOCALS)).id)
    assert job.state is State.KEPT
    await harness.close()


async def test_what_was_made_here_is_not_looked_for_at_the_vendor(tmp_path: Path) -> None:
    provider = Vendor(SIGNED.format("vocals", 86_400), models=(VOCALS_ALONE,))
    audio: Any = SizedAudio(duration_s=3600)
    harness = await Harness.build(tmp_path, provider, audio=audio, max_duration_minutes=90)
    job = await harness.until((await harness.split(recipe=Recipe.KARAOKE)).id)
    [attempt] = await harness.jobs.attempts(job.id)
    assert attempt.state is AttemptState.DONE
    assert job.state is State.KEPT, "the instrumental fits nowhere, and no vendor has it"
    await harness.close()


async def test_a_rendition_is_not_looked_for_at_the_vendor(tmp_path: Path) -> None:
    urls = [SIGNED.format(stem, 86_400) for stem in ("instrumental", "vocals")]
    audio: Any = SizedAudio(duration_s=3600)
    harness = await Harness.build(
        tmp_path, Vendor(*urls), audio=audio, clock=FakeClock(), max_duration_minutes=90
    )
    job = await harness.until((await harness.split(rendition=Rendition(cents=-200))).id)
    assert job.state is State.KEPT, "it fits nowhere, and the vendor has the original key alone"
    await harness.close()
