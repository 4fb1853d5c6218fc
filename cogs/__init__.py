"""The slash commands, one module per group. They only call services."""

from bot.ui.client import Stemcord
from bot.ui.handlers.batch_actions import BatchActions
from bot.ui.handlers.clip_actions import ClipActions
from bot.ui.handlers.job_actions import JobActions
from bot.ui.handlers.privacy_actions import PrivacyActions
from bot.ui.handlers.rendition_actions import RenditionActions
from bot.ui.handlers.song_actions import SongActions
from bot.ui.services import Services
from cogs.admin import AdminCog
from cogs.batch import BatchCog
from cogs.help import HelpCog
from cogs.jobs import JobsCog
from cogs.privacy import PrivacyCog
from cogs.quota import QuotaCog
from cogs.remix import RemixCog
from cogs.songs import SongsCog, message_menu
from cogs.split import SplitCog

ACTIONS = (JobActions, BatchActions, RenditionActions, ClipActions, SongActions, PrivacyActions)


async def add_cogs(client: Stemcord, services: Services) -> None:
    """Add every command and every button and menu handler to a client before it logs in."""
    songs = SongsCog(services)
    for cog in (
        SplitCog(services),
        songs,
        BatchCog(services),
        JobsCog(services),
        RemixCog(services),
        QuotaCog(services),
        AdminCog(services),
        PrivacyCog(services),
        HelpCog(services),
    ):
        await client.add_cog(cog)
    client.tree.add_command(message_menu(songs))
    for actions in ACTIONS:
        actions(services).register(client.handlers)
