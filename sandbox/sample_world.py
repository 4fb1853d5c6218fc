"""The sandbox's initial world: a server, or one for each shard, three users and Stemcord."""

from sandbox.clock import SandboxClock
from sandbox.entities import EVERYONE, Guild, Permission, Role
from sandbox.world import World


def sample_world(clock: SandboxClock, *, shards: int = 1) -> World:
    """Return a world of Ada, who owns the application and the server, Ben and Cleo.

    Each further shard has a server named after it, with one channel: `stage-1` and so on.
    """
    world = World(clock=clock, application_name="Stemcord")
    ada = world.add_user("Ada", avatar_color="#eb459e", is_owner=True)
    ben = world.add_user("Ben", avatar_color="#3ba55d")
    cleo = world.add_user("Cleo", avatar_color="#faa61a")
    guild_id = world.snowflakes.next_in_shard(0, shards)
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
    for shard_id in range(1, shards):
        _add_stage(world, world.snowflakes.next_in_shard(shard_id, shards), shard_id)
    return world


def _add_stage(world: World, guild_id: int, shard_id: int) -> None:
    everyone = Role(id=guild_id, name="@everyone", permissions=EVERYONE, position=0)
    managed = Role(
        id=world.snowflakes.next(),
        name=world.bot.name,
        permissions=EVERYONE | Permission.CREATE_GUILD_EXPRESSIONS,
        position=1,
    )
    members: dict[int, tuple[int, ...]] = dict.fromkeys(world.users, ())
    world.add_guild(
        Guild(
            id=guild_id,
            name=f"Open Stage {shard_id}",
            owner_id=next(iter(world.users)),
            roles=(everyone, managed),
            members=members | {world.bot.id: (managed.id,)},
        )
    )
    world.add_text_channel(guild_id, f"stage-{shard_id}")
