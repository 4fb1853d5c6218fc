"""Handlers of buttons and menus for the songs of a message."""

import discord

from bot.domain.job import Entry
from bot.domain.recipes import Recipe
from bot.ui.cards.card import Card
from bot.ui.cards.controls import ALL_SONGS, Action, MenuAction
from bot.ui.cards.song_cards import all_recipes_card, recipe_card
from bot.ui.components.handler_registry import HandlerRegistry, Interaction
from bot.ui.components.rendering import embed_of, view_of
from bot.ui.handlers.job_actions import recipe_of
from bot.ui.services import Services
from bot.ui.split_requests import SplitOptions


class SongActions:
    """Handlers whose subject is a message and, for some, the number of a song in it.

    All raise Rejected if the message or the song is gone.
    """

    def __init__(self, services: Services) -> None:
        self._splits = services.use_cases.splits
        self._requests = services.requests
        self._batch_requests = services.batch_requests
        self._attachments = services.attachments

    def register(self, handlers: HandlerRegistry) -> None:
        """Add these handlers to the registry."""
        handlers.add(
            buttons={Action.MAKE: self.make},
            menus={
                MenuAction.MAKE: self.make_chosen,
                MenuAction.OFFER_RECIPES: self.offer_recipes,
                MenuAction.SPLIT_SONG: self.split_song,
            },
        )

    async def make(self, interaction: Interaction, subject: str) -> None:
        """Split a song with the button's recipe."""
        recipe, message_id, number = subject.split(":")
        await self._split(
            interaction, int(message_id), number, entry=Entry.MESSAGE, recipe=recipe_of(recipe)
        )

    async def make_chosen(self, interaction: Interaction, subject: str, value: str) -> None:
        """Split a song with the chosen recipe."""
        message_id, number = subject.split(":")
        await self._split(
            interaction, int(message_id), number, entry=Entry.MESSAGE, recipe=recipe_of(value)
        )

    async def offer_recipes(self, interaction: Interaction, subject: str, value: str) -> None:
        """Offer recipes for the chosen song in a new message; the menu can then be used again."""
        message_id = int(subject)
        if value == ALL_SONGS:
            songs = await self._attachments.find_all(interaction, message_id)
            card = all_recipes_card(songs, self._splits.offers(), message_id=message_id)
        else:
            card = await self._recipe_card(interaction, message_id, int(value))
        await interaction.response.send_message(
            embed=embed_of(card), view=view_of(card.buttons, card.menu) or discord.utils.MISSING
        )

    async def _recipe_card(self, interaction: Interaction, message_id: int, number: int) -> Card:
        song = await self._attachments.find(interaction, message_id, number)
        return recipe_card(song, self._splits.offers(), message_id=message_id, number=number)

    async def split_song(self, interaction: Interaction, subject: str, value: str) -> None:
        """Split the chosen song with the server's defaults."""
        await self._split(interaction, int(subject), value, entry=Entry.MENU)

    async def _split(
        self,
        interaction: Interaction,
        message_id: int,
        number: str,
        *,
        entry: Entry,
        recipe: Recipe | None = None,
    ) -> None:
        if number == ALL_SONGS:
            songs = await self._attachments.find_all(interaction, message_id)
            await self._batch_requests.start(interaction, songs, entry=entry, recipe=recipe)
            return
        song = await self._attachments.find(interaction, message_id, int(number))
        options = SplitOptions(source=song, entry=entry, recipe=recipe)
        await self._requests.start(interaction, options)
