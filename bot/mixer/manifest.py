"""Describes a job's song and stems to the mixer page, without naming its user or provider."""

from collections.abc import Sequence
from typing import Any, Final

from bot.audio.pack_tasks import PACK_RATES, PACK_S, pack_count
from bot.audio.spool import SAMPLE_RATE
from bot.audio.stem_colours import colour_of
from bot.domain.job import Job
from bot.domain.recipes import AudioFormat, Stem
from bot.domain.titles import linked_name, plain, stem_label
from bot.i18n.languages import Languages
from bot.i18n.translation import active_language, gettext
from bot.mixer.page_texts import GONE, words
from bot.net.public_links import SignedLink, SignedLinks
from bot.ui.texts.analysis_texts import analysis_line
from bot.ui.texts.names import FORMATS, STEMS
from storage.files.job_files import JobFiles

VERSION: Final = 1
UNTUNED: Final = frozenset({Stem.DRUMS})
"""Stems that keep their pitch when the key changes."""
HOLDS_DRUMS: Final = frozenset({Stem.INSTRUMENTAL, Stem.NO_BASS, Stem.NO_GUITAR, Stem.NO_PIANO})


class Manifests:
    """Builds manifests in the language of each job's reply."""

    def __init__(self, *, links: SignedLinks, files: JobFiles, languages: Languages) -> None:
        self._links = links
        self._files = files
        self._languages = languages

    async def of(
        self, job: Job, peaks: Sequence[str], *, ends: SignedLink, stretch: str | None
    ) -> dict[str, Any]:
        """Return a job's manifest; `stretch` is the address of the page's time stretcher."""
        language = self._languages.of(job.reply.locale)
        saves = await self._saves(job)
        with active_language(language):
            stems = [
                _stem(stem, number, each)
                for number, (stem, each) in enumerate(zip(job.stems, peaks, strict=True))
            ]
            told = words()
            heard = analysis_line(job.analysis) if job.analysis else ""
        frames = job.frames or 0
        return {
            "v": VERSION,
            "lang": language.code,
            "words": told,
            **_song(job),
            "seconds": frames / SAMPLE_RATE,
            "chunk": PACK_S,
            "packs": pack_count(frames),
            "codecs": {codec.value: rate for codec, rate in PACK_RATES.items()},
            "stems": stems,
            "stretch": stretch,
            "ends": ends.expires_at.isoformat(),
            "save": saves,
            "heard": heard,
        }

    def farewell(self, job: Job) -> dict[str, str]:
        """Return the manifest of a job whose stems are gone."""
        language = self._languages.of(job.reply.locale)
        with active_language(language):
            return {"lang": language.code, "gone": gettext(GONE)}

    async def _saves(self, job: Job) -> dict[str, list[dict[str, str]]]:
        """Return the addresses of existing downloads, by stem."""
        linked = await self._files.linked_names(job.id)
        found: dict[str, list[dict[str, str]]] = {}
        for stem in job.stems:
            for audio_format in AudioFormat:
                name = linked_name(stem, audio_format)
                if name in linked:
                    link = await self._links.to_result(job, name)
                    told = {"format": FORMATS[audio_format], "url": _from_page(link)}
                    found.setdefault(stem.value, []).append(told)
        return found


def _stem(stem: Stem, number: int, peaks: str) -> dict[str, Any]:
    red, green, blue = colour_of(stem_label(stem), number)
    return {
        "id": stem.value,
        "label": gettext(STEMS[stem]),
        "colour": f"#{red:02x}{green:02x}{blue:02x}",
        "tuned": stem not in UNTUNED,
        "drums": stem in HOLDS_DRUMS,
        "peaks": peaks,
    }


def _song(job: Job) -> dict[str, str | None]:
    """Return title and artist, without the artist's name in the title if there is an artist tag."""
    by = f"{plain(job.artist)} - " if job.artist else ""
    return {"title": job.title.removeprefix(by), "artist": job.artist}


def _from_page(link: SignedLink) -> str:
    """Return an address relative to the page's, so that a proxy may add a prefix to both."""
    return "../../" + "/".join(link.url.split("/")[-3:])
