"""Which servers and rows belong to a group, in Python and in both databases."""

from typing import Any

import pytest

from storage.groups.shard_group import EVERY_SHARD, OWN_ROWS, ShardGroup

SERVERS = (None, 80351110224678912, 80351110224678912 + (1 << 22), 1, 1190 << 22)


def test_discords_example_is_on_its_shard() -> None:
    """The formula is `(guild_id >> 22) % num_shards`; direct messages go to shard 0."""
    assert ShardGroup.parse("5/16").owns((5 + 16 * 7) << 22)
    assert ShardGroup.parse("0/16").owns(None)
    assert not ShardGroup.parse("1/16").owns(None)


@pytest.mark.parametrize("text", ["0/1", "0-3/16", "7/8"])
def test_a_group_is_written_as_it_is_set(text: str) -> None:
    assert str(ShardGroup.parse(text)) == text


def test_every_server_belongs_to_one_group() -> None:
    groups = [ShardGroup.parse(text) for text in ("0-2/5", "3/5", "4/5")]
    for server in SERVERS:
        assert sum(group.owns(server) for group in groups) == 1
        assert EVERY_SHARD.owns(server)
    assert all(group.owns(group.first_server) for group in groups)


@pytest.mark.parametrize("text", ["0/1", "0/3", "1-2/3", "4/7"])
async def test_rows_belong_to_the_same_group_as_their_servers(db: Any, text: str) -> None:
    group = ShardGroup.parse(text)
    for server in SERVERS:
        one_row = f"SELECT 1 FROM (SELECT CAST(:guild AS bigint) AS guild_id) AS t WHERE {OWN_ROWS}"
        found = await db.read(one_row, {"guild": server, **group.parameters})
        assert bool(found) is group.owns(server)
