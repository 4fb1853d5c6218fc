"""Questions before a song is split: which song, and which recipe.

Custom ids identify a song by its message id and its number, so they work after a restart.
"""

from collections.abc import Iterable, Sequence

from bot.domain.errors import Reason, Rejected
from bot.domain.job import Job, Source
from bot.domain.recipes import Recipe
from bot.domain.titles import title_of
from bot.i18n.translation import gettext
from bot.scheduling.plans import Offer
from bot.ui.cards.card import Card, Tone
from bot.ui.cards.controls import Action, Button, Choice, Emphasis, Menu, MenuAction
from bot.ui.cards.job_cards import MAX_CHOICES
from bot.ui.texts import labels, messages
from bot.ui.texts.names import RECIPES, recipe_label
from bot.ui.texts.safe_text import safe, shortened

POPULAR_RECIPES = frozenset(
    {Recipe.KARAOKE, Recipe.INSTRUMENTAL, Recipe.VOCALS, Recipe.FOUR_STEMS, Recipe.NO_DRUMS}
)
"""The recipes that have buttons; a menu offers the others."""
MAX_LABEL = 100


def recipe_card(song: Source, offers: Iterable[Offer], *, message_id: int, number: int) -> Card:
    """Ask by which recipe to split a song of a message; `number` counts from 0."""
    offers = list(offers)
    subject = f"{message_id}:{number}"
    popular = [offer.recipe for offer in offers if offer.recipe in POPULAR_RECIPES]
    rest = [offer for offer in offers if offer.recipe not in POPULAR_RECIPES]
    menu = Menu(
        action=MenuAction.MAKE,
        subject=subject,
        placeholder=gettext(labels.MORE_STEMS),
        choices=_recipe_choices(rest),
    )
    return Card(
        title=safe(title_of(song.filename)),
        lines=(gettext(messages.CHOOSE_RECIPE),),
        tone=Tone.WAITING,
        buttons=tuple(_recipe_button(recipe, subject) for recipe in popular),
        menu=menu if rest else None,
    )


def song_menu(action: MenuAction, songs: Sequence[Source], message_id: int) -> Menu:
    """Return a menu of a message's songs; the values are their numbers from 0."""
    choices = tuple(
        Choice(str(number), shortened(title_of(song.filename), MAX_LABEL))
        for number, song in enumerate(songs[:MAX_CHOICES])
    )
    return Menu(
        action=action,
        subject=str(message_id),
        placeholder=gettext(labels.CHOOSE_SONG),
        choices=choices,
    )


def other_recipe_menu(job: Job, offers: Iterable[Offer]) -> Menu:
    """Return a menu of all offered recipes but the job's own.

    Raises Rejected if there are none.
    """
    others = [offer for offer in offers if offer.recipe is not job.request.recipe]
    if not others:
        raise Rejected(Reason.NO_PROVIDER)
    return Menu(
        action=MenuAction.SPLIT_AGAIN,
        subject=job.id,
        placeholder=gettext(labels.CHOOSE_STEMS),
        choices=_recipe_choices(others),
    )


def _recipe_button(recipe: Recipe, subject: str) -> Button:
    emphasis = Emphasis.PRIMARY if recipe is Recipe.KARAOKE else Emphasis.NORMAL
    return Button(Action.MAKE, f"{recipe}:{subject}", gettext(RECIPES[recipe]), emphasis)


def _recipe_choices(offers: Iterable[Offer]) -> tuple[Choice, ...]:
    choices = []
    for offer in offers:
        label = recipe_label(offer.recipe, is_basic=offer.is_basic)
        choices.append(Choice(offer.recipe, shortened(label, MAX_LABEL)))
    return tuple(choices[:MAX_CHOICES])
