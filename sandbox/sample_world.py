"""The sandbox's initial world: one server, three users and Stemcord."""

from sandbox.clock import SandboxClock
from sandbox.entities import EVERYONE, Guild, Permission, Role
from sandbox.world import World


def sample_world(clock: SandboxClock) -> World:
    """Return a world of Ada, who owns the application and the server, Ben and Cleo."""
    world = World(clock=clock, application_name="Stemcord")
    ada = world.add_user("Ada", avatar_color="#eb459e", is_owner=True)
    ben = world.add_user("Ben", avatar_color="#3ba55d")
    cleo = world.add_user("Cleo", avatar_color="#faa61a")
    guild_id = world.snowflakes.next()
    everyone = Role(id=guild_id, name="@everyone", permissions=EVERYONE, position=0)
    host = Role(
        id=world.snowflakes.next(),
        name="Host",
        permissions=EVERYONE
        | Permission.MANAGE_GUILD
        | Permission.MANAGE_MESSAGES
        | Permission.CREATE_GUILD_EXPRESSIONS,
        position=2,
    )
    managed = Role(
        id=world.snowflakes.next(),
        name=world.bot.name,
        permissions=EVERYONE | Permission.CREATE_GUILD_EXPRESSIONS,
        position=3,
    )
    singer = Role(id=world.snowflakes.next(), name="Singer", permissions=EVERYONE)
    world.add_guild(
        Guild(
            id=guild_id,
            name="Karaoke Night",
            owner_id=ada.id,
            roles=(everyone, singer, host, managed),
            members={
                ada.id: (host.id,),
                ben.id: (singer.id,),
                cleo.id: (),
                world.bot.id: (managed.id,),
            },
        )
    )
    world.add_text_channel(guild_id, "karaoke")
    world.add_text_channel(guild_id, "lounge")
    return world
