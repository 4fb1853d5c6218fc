"""Menus about one's own jobs; they work after a restart, and check who chose."""

from collections.abc import Iterable
from typing import Self

import discord

from bot.domain.errors import Reason, Rejected
from bot.domain.job import Job, JobId, UserId
from bot.domain.recipes import Recipe
from bot.i18n.translation import gettext
from bot.scheduling.plans import Offer
from bot.ui.cards.controls import SHOW_MENU, Choice, Menu
from bot.ui.client import Stemcord
from bot.ui.commands.choices import recipe_choices
from bot.ui.components.persistent_item import PersistentMenu
from bot.ui.components.start_again import start_again
from bot.ui.texts import labels


class ShowMenu(PersistentMenu, template=SHOW_MENU):
    """Shows the chosen one of the caller's jobs again."""

    async def press(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Show it."""
        services = interaction.client.services
        job_id = JobId(self.chosen)
        job = await services.splits.get(job_id, user_id=UserId(interaction.user.id))
        await services.shows.show(interaction, job)


class RecipeMenu(PersistentMenu, template=r"recipe:(?P<job>[a-z0-9]+)"):
    """Splits a job's song again by the chosen recipe."""

    @classmethod
    def offering(cls, job: Job, offers: Iterable[Offer]) -> Self:
        """Offer what the job was not. Raises Rejected when that is nothing."""
        others = [offer for offer in offers if offer.recipe is not job.request.recipe]
        choices = tuple(Choice(each.value, each.name) for each in recipe_choices(others))
        if not choices:
            raise Rejected(Reason.NO_PROVIDER)
        return cls(
            Menu(
                custom_id=f"recipe:{job.id}",
                placeholder=gettext(labels.CHOOSE_STEMS),
                choices=choices,
            )
        )

    async def press(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Start it as another job."""
        job_id = JobId(self.subject[0])
        splits = interaction.client.services.splits
        job = await splits.get(job_id, user_id=UserId(interaction.user.id))
        await start_again(interaction, job, recipe=Recipe(self.chosen))
