"""Cards about the bot and the user's account: `/quota`, `/help` and `/privacy`."""

from collections.abc import Sequence
from datetime import timedelta

from bot.domain.minutes import Usage
from bot.i18n.translation import gettext
from bot.jobs.intake import Limits
from bot.scheduling.plans import Offer
from bot.ui.cards.card import Card, Tone
from bot.ui.cards.controls import Action, Button, Emphasis, ForgetStep
from bot.ui.texts import labels, privacy_texts, usage_texts
from bot.ui.texts.help_texts import help_lines
from bot.ui.texts.names import RECIPES

_FORGET_LABELS = {
    ForgetStep.ASK: privacy_texts.DELETE,
    ForgetStep.CONFIRMED: privacy_texts.CONFIRMED,
}


def quota_card(usage: Usage, shared: Usage | None = None, pool: int | None = None) -> Card:
    """Show a user's minutes, those from the server, and the minutes in the server's pool."""
    lines = [*usage_texts.usage_lines(usage)]
    if shared is not None:
        lines += ["", *usage_texts.shared_lines(shared)]
    if pool is not None:
        lines += ["", usage_texts.pool_line(pool)]
    return Card(title=gettext(labels.YOUR_MINUTES), lines=tuple(lines), tone=Tone.QUIET)


def help_card(offers: Sequence[Offer], limits: Limits) -> Card:
    """Explain the commands and the limits of this installation."""
    lines = help_lines(
        recipes=[gettext(RECIPES[offer.recipe]) for offer in offers],
        max_file_mib=limits.max_file_mib,
        max_minutes=limits.max_duration_minutes,
    )
    return Card(title="Stemcord", lines=lines, tone=Tone.WORKING)


def privacy_card(*, keep: timedelta, recipients: Sequence[str]) -> Card:
    """Say what is kept and who else gets songs, and offer to delete everything."""
    return Card(
        title=gettext(privacy_texts.TITLE),
        lines=privacy_texts.privacy_lines(keep=keep, recipients=recipients),
        tone=Tone.WORKING,
        buttons=(_forget_button(ForgetStep.ASK),),
    )


def forget_card() -> Card:
    """Ask whether to delete everything."""
    return Card(
        title=gettext(privacy_texts.CONFIRM_TITLE),
        lines=privacy_texts.confirm_lines(),
        tone=Tone.FAILED,
        buttons=(_forget_button(ForgetStep.CONFIRMED),),
    )


def forgotten_card(songs: int) -> Card:
    """Say that everything has been deleted."""
    return Card(
        title=gettext(privacy_texts.DONE_TITLE),
        lines=(privacy_texts.done_line(songs),),
        tone=Tone.QUIET,
    )


def _forget_button(step: ForgetStep) -> Button:
    return Button(Action.FORGET, step, gettext(_FORGET_LABELS[step]), Emphasis.DANGER)
