"""A new job from the file of an earlier one, asked for by a button or a menu."""

from dataclasses import replace

import discord

from bot.domain.job import Entry, Job
from bot.domain.recipes import Recipe
from bot.ui.acknowledgement import start_split
from bot.ui.client import Stemcord
from bot.ui.context import reply_of


async def start_again(
    interaction: discord.Interaction[Stemcord], job: Job, *, recipe: Recipe | None = None
) -> None:
    """Split the job's song again, for the same user and as privately; perhaps by another recipe.

    Raises Rejected, also when Discord no longer has the file.
    """
    services = interaction.client.services
    now = services.clock.now()
    wanted = recipe or job.request.recipe
    makers = next(
        (each.providers for each in services.splits.offers() if each.recipe == wanted), ()
    )
    request = replace(
        job.request,
        source=await services.addresses.in_haste(job.request.source, now=now),
        recipe=wanted,
        # Whoever was insisted on for one recipe need not make another.
        provider=job.request.provider if job.request.provider in makers else None,
        entry=Entry.BUTTON,
    )
    reply = reply_of(interaction, private=job.reply.is_ephemeral, now=now)
    await start_split(interaction, services.splits, request=request, reply=reply)
