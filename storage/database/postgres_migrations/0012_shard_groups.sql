-- Several bots on one PostgreSQL database. An SQLite database has one bot and leaves these empty.

-- Each owner of a group raises its fence, and each of its transactions checks it.
CREATE TABLE shard_groups (
    shard_count bigint  NOT NULL CHECK (shard_count > 0),
    first_shard bigint  NOT NULL CHECK (first_shard >= 0),
    last_shard  bigint  NOT NULL CHECK (last_shard >= first_shard),
    fence       bigint  NOT NULL DEFAULT 0,

    PRIMARY KEY (shard_count, first_shard, last_shard)
);

-- The server in which the reply is, to which its group belongs.
ALTER TABLE open_replies ADD COLUMN guild_id bigint;

-- A place for each attempt that a vendor works on, so that all groups together keep its limit.
CREATE TABLE vendor_places (
    provider text   NOT NULL,
    job_id   text   NOT NULL,
    guild_id bigint,  -- the job's server, to which its group belongs
    taken_at bigint NOT NULL,

    PRIMARY KEY (provider, job_id)
);

-- Groups whose next job waits for a place. The first in line is told when one is free.
CREATE TABLE vendor_waits (
    provider text   NOT NULL,
    waiting  text   NOT NULL,  -- the group, like 0-3/16
    since_ms bigint NOT NULL,
    asked_at bigint NOT NULL,

    PRIMARY KEY (provider, waiting)
);
