"""Handlers of the buttons of `/privacy`. They act on the data of the user who presses them."""

from bot.domain.job import UserId
from bot.ui.cards.controls import Action, ForgetStep
from bot.ui.cards.info_cards import forget_card, forgotten_card
from bot.ui.components.handler_registry import HandlerRegistry, Interaction
from bot.ui.components.rendering import embed_of, view_of
from bot.ui.services import Services


class PrivacyActions:
    """Asks for confirmation, then deletes the user's data."""

    def __init__(self, services: Services) -> None:
        self._privacy = services.use_cases.privacy

    def register(self, handlers: HandlerRegistry) -> None:
        """Add the handler to the registry."""
        handlers.add(buttons={Action.FORGET: self.forget})

    async def forget(self, interaction: Interaction, subject: str) -> None:
        """Ask whether to delete everything or, once confirmed, delete it."""
        match ForgetStep(subject):
            case ForgetStep.ASK:
                card = forget_card()
                await interaction.response.edit_message(
                    embed=embed_of(card), view=view_of(card.buttons)
                )
            case ForgetStep.CONFIRMED:
                # Defer first, because stopping jobs may take longer than Discord waits.
                await interaction.response.defer()
                songs = await self._privacy.forget(UserId(interaction.user.id))
                await interaction.edit_original_response(
                    embed=embed_of(forgotten_card(songs)), view=None
                )
