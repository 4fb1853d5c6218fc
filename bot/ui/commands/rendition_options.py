"""The command options that ask for a rendition: key, speed and mix."""

from collections.abc import Iterable
from functools import partial

from discord import app_commands
from discord.app_commands import Choice

from bot.domain.renditions import (
    CENTS_A_SEMITONE,
    MAX_CENTS,
    MAX_SPEED_PERCENT,
    MIN_SPEED_PERCENT,
    UNCHANGED_PERCENT,
    NamedMix,
    Rendition,
)
from bot.ui.commands.command_translator import composed
from bot.ui.texts.rendition_texts import mix_name

MAX_SEMITONES = MAX_CENTS // CENTS_A_SEMITONE

Semitones = app_commands.Range[int, -MAX_SEMITONES, MAX_SEMITONES]
SpeedPercent = app_commands.Range[int, MIN_SPEED_PERCENT, MAX_SPEED_PERCENT]


def rendition_of(key: int | None, speed: int | None) -> Rendition:
    """Return the rendition for semitones and percent. Discord checks the ranges."""
    return Rendition(
        cents=(key or 0) * CENTS_A_SEMITONE,
        speed_percent=UNCHANGED_PERCENT if speed is None else speed,
    )


def mix_options(mixes: Iterable[NamedMix] = NamedMix) -> list[Choice[str]]:
    """Return the named mixes, with names in every language."""
    return [Choice(name=composed(partial(mix_name, mix)), value=mix.value) for mix in mixes]
