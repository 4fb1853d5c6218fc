"""Handlers for the buttons of a soundboard clip."""

from bot.domain.job import Job, JobId, UserId
from bot.ui.cards.controls import Action
from bot.ui.components.handler_registry import HandlerRegistry, Interaction
from bot.ui.services import Services


class ClipActions:
    """Handlers whose subject is a job id.

    All raise NotFound for a job that the presser can't see, and Rejected for a presser who may not
    create expressions in the server.
    """

    def __init__(self, services: Services) -> None:
        self._splits = services.use_cases.splits
        self._clips = services.clips

    def register(self, handlers: HandlerRegistry) -> None:
        """Add these handlers to the registry."""
        handlers.add(buttons={Action.CLIP: self.show, Action.ADD_SOUND: self.add})

    async def show(self, interaction: Interaction, subject: str) -> None:
        """Show the clip to the presser."""
        await self._clips.show(interaction, await self._seen(interaction, subject))

    async def add(self, interaction: Interaction, subject: str) -> None:
        """Add the clip to the server's soundboard."""
        await self._clips.add(interaction, await self._seen(interaction, subject))

    async def _seen(self, interaction: Interaction, subject: str) -> Job:
        return await self._splits.get_visible(
            JobId(subject),
            user_id=UserId(interaction.user.id),
            channel_id=interaction.channel_id,
        )
