"""The text that comes with stems in one file: what they are of, and what was heard."""

from collections.abc import Sequence

from bot.domain.job import Job
from bot.i18n.translation import gettext
from bot.ui.texts.analysis_texts import info_lines
from bot.ui.texts.names import RECIPES
from bot.ui.texts.rendition_texts import rendition_line


def zip_info(songs: Sequence[Job]) -> str:
    """Describe songs as plain text with Windows' line ends, which every system reads.

    Figures are those of the rendition that each job asks for.
    """
    return "\r\n\r\n".join("\r\n".join(_described(job)) for job in songs) + "\r\n"


def _described(job: Job) -> list[str]:
    rendition = job.request.rendition
    lines = [job.title, gettext(RECIPES[job.request.recipe])]
    if changed := rendition_line(rendition):
        lines.append(changed)
    if job.heard is not None:
        lines += info_lines(job.heard)
    return lines
