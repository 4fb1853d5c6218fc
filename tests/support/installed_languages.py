"""The bot's languages, read once per run."""

from functools import cache

from bot.i18n.languages import Languages


@cache
def installed() -> Languages:
    return Languages.in_folder()
