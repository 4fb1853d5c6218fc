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
from bot.ui.cards.controls import ALL_SONGS, Action, Button, Choice, Emphasis, Menu, MenuAction
from bot.ui.cards.job_cards import MAX_CHOICES
from bot.ui.texts import batch_texts, labels, messages
from bot.ui.texts.names import RECIPES, recipe_label
from bot.ui.texts.safe_text import safe, shortened

POPULAR_RECIPES = frozenset(
    {Recipe.KARAOKE, Recipe.INSTRUMENTAL, Recipe.VOCALS, Recipe.FOUR_STEMS, Recipe.NO_DRUMS}
)
"""The recipes that have buttons; a menu offers the others."""
MAX_LABEL = 100
MAX_SONGS = 10
"""The most songs that are split together."""
MAX_TITLE = 50


def recipe_card(song: Source, offers: Iterable[Offer], *, message_id: int, number: int) -> Card:
    """Ask which recipe to use for a song of a message; `number` counts from 0."""
    title, asked = safe(title_of(song.filename)), (gettext(messages.CHOOSE_RECIPE),)
    return _recipe_card(title, asked, offers, f"{message_id}:{number}")


def _recipe_card(title: str, asked: tuple[str, ...], offers: Iterable[Offer], subject: str) -> Card:
    offers = list(offers)
    popular = [offer.recipe for offer in offers if offer.recipe in POPULAR_RECIPES]
    rest = [offer for offer in offers if offer.recipe not in POPULAR_RECIPES]
    menu = Menu(
        action=MenuAction.MAKE,
        subject=subject,
        placeholder=gettext(labels.MORE_STEMS),
        choices=recipe_choices(rest),
    )
    return Card(
        title=title,
        lines=asked,
        tone=Tone.WAITING,
        buttons=tuple(_recipe_button(recipe, subject) for recipe in popular),
        menu=menu if rest else None,
    )


def all_recipes_card(songs: Sequence[Source], offers: Iterable[Offer], *, message_id: int) -> Card:
    """Ask which recipe to use for all songs of a message."""
    titles = tuple(f"**{safe(title_of(song.filename), MAX_TITLE)}**" for song in songs)
    asked = (*titles, gettext(batch_texts.CHOOSE_RECIPE))
    return _recipe_card(
        gettext(batch_texts.ALL_OF_THEM), asked, offers, f"{message_id}:{ALL_SONGS}"
    )


def song_menu(action: MenuAction, songs: Sequence[Source], message_id: int) -> Menu:
    """Return a menu of a message's songs; the values are their numbers from 0, or all of them."""
    choices = [
        Choice(str(number), shortened(title_of(song.filename), MAX_LABEL))
        for number, song in enumerate(songs[:MAX_CHOICES])
    ]
    if len(songs) <= MAX_SONGS:
        choices.append(Choice(ALL_SONGS, gettext(batch_texts.ALL_OF_THEM)))
    return Menu(
        action=action,
        subject=str(message_id),
        placeholder=gettext(labels.CHOOSE_SONG),
        choices=tuple(choices),
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
        choices=recipe_choices(others),
    )


def _recipe_button(recipe: Recipe, subject: str) -> Button:
    emphasis = Emphasis.PRIMARY if recipe is Recipe.KARAOKE else Emphasis.NORMAL
    return Button(Action.MAKE, f"{recipe}:{subject}", gettext(RECIPES[recipe]), emphasis)


def recipe_choices(offers: Iterable[Offer]) -> tuple[Choice, ...]:
    """Return the offered recipes as the choices of a menu or a form."""
    choices = []
    for offer in offers:
        label = recipe_label(offer.recipe, is_basic=offer.is_basic)
        choices.append(Choice(offer.recipe, shortened(label, MAX_LABEL)))
    return tuple(choices[:MAX_CHOICES])
