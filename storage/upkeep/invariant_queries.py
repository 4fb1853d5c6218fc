"""The invariants as SQL statements that return one row per thing checked.

Each row has a `subject`, the id to report, and `holds`, whether the claim is true for it. NULL is
not true, so an undecidable claim counts as violated.
"""

NO_WORK_UNACKNOWLEDGED = """
SELECT id AS subject, acknowledged_at IS NOT NULL OR state IN ('received', 'cancelled') AS holds
FROM jobs
"""
ONE_JOB_A_REQUEST = """
SELECT group_concat(id, ' ') AS subject, count(*) = 1 AS holds
FROM jobs
GROUP BY interaction_id
"""
ALL_FINAL = """
SELECT id AS subject, state IN ('delivered', 'kept', 'failed', 'cancelled') AS holds
FROM jobs
"""
# `:ways` lists every allowed step as `from>to`.
LEGAL_PATH = """
WITH steps AS (
    SELECT
        id, job_id, from_state, to_state,
        lag(to_state) OVER path AS before,
        row_number() OVER path = 1 AS is_first,
        lead(id) OVER path IS NULL AS is_last
    FROM events
    WINDOW path AS (PARTITION BY job_id ORDER BY id)
)
SELECT
    jobs.id AS subject,
    count(steps.id) > 0
    AND min(
        CASE
            WHEN is_first AND from_state IS NULL AND to_state = 'received' THEN 1
            WHEN NOT is_first AND coalesce(from_state, '') = before
                AND coalesce(from_state, '') || '>' || to_state
                    IN (SELECT value FROM json_each(CAST(:ways AS text))) THEN 1
            ELSE 0
        END
    ) = 1
    AND max(CASE WHEN is_last THEN to_state END) = jobs.state AS holds
FROM jobs
LEFT JOIN steps ON steps.job_id = jobs.id
GROUP BY jobs.id
"""

# An account's name is its owner, a colon and its purpose. Only grants move minutes between owners.
SUMS_TO_ZERO = """
SELECT
    id AS subject,
    kind = 'grant'
        OR rtrim(debit, replace(debit, ':', '')) = rtrim(credit, replace(credit, ':', '')) AS holds
FROM ledger
"""
HELD_AS_MEASURED = """
SELECT
    jobs.id AS subject,
    CASE
        WHEN jobs.state = 'received' OR jobs.repeat_of IS NOT NULL THEN count(hold.id) = 0
        WHEN jobs.state IN ('failed', 'cancelled') AND count(hold.id) = 0 THEN TRUE
        ELSE count(hold.id) = 1 AND max(hold.minutes) = jobs.minutes
    END AS holds
FROM jobs
LEFT JOIN ledger AS hold ON hold.job_id = jobs.id AND hold.kind = 'hold'
GROUP BY jobs.id
"""
ENDED_ONCE = """
SELECT
    hold.job_id AS subject,
    count(ending.id) = CASE
        WHEN jobs.state IN ('held', 'submitting', 'processing') THEN 0
        ELSE 1  -- of a job that was deleted, too
    END AS holds
FROM ledger AS hold
LEFT JOIN ledger AS ending ON ending.hold_id = hold.id AND ending.kind IN ('post', 'void')
LEFT JOIN jobs ON jobs.id = hold.job_id
WHERE hold.kind = 'hold'
GROUP BY hold.id, jobs.id
"""
POSTED_WHEN_READY = """
SELECT
    ending.job_id AS subject,
    CASE ending.kind
        WHEN 'post' THEN EXISTS (
            SELECT 1 FROM events WHERE events.job_id = jobs.id AND events.to_state = 'ready'
        )
        ELSE jobs.state IN ('failed', 'cancelled')
    END AS holds
FROM ledger AS ending
JOIN jobs ON jobs.id = ending.job_id
WHERE ending.kind IN ('post', 'void')
"""
ENDED_AS_HELD = """
SELECT
    ending.job_id AS subject,
    ending.job_id = hold.job_id
        AND ending.minutes = hold.minutes
        AND ending.period = hold.period
        AND ending.debit = hold.credit
        AND (ending.credit = hold.debit) = (ending.kind = 'void') AS holds
FROM ledger AS ending
LEFT JOIN ledger AS hold ON hold.id = ending.hold_id AND hold.kind = 'hold'
WHERE ending.kind IN ('post', 'void')
"""

# A reset after the post has already given its minutes back.
GIVEN_BACK = """
SELECT
    hold.job_id AS subject,
    CASE
        WHEN jobs.state = 'failed' AND post.id IS NOT NULL THEN coalesce(
            refund.job_id = hold.job_id
                AND refund.minutes = post.minutes
                AND refund.period = post.period
                AND refund.debit = post.credit
                AND refund.credit = hold.debit,
            EXISTS (
                SELECT 1 FROM ledger AS reset
                WHERE reset.kind = 'reset' AND reset.id > post.id
                    AND reset.debit = post.credit AND reset.period = post.period
            )
        )
        ELSE refund.id IS NULL
    END AS holds
FROM ledger AS hold
JOIN jobs ON jobs.id = hold.job_id
LEFT JOIN ledger AS post ON post.hold_id = hold.id AND post.kind = 'post'
LEFT JOIN ledger AS refund ON refund.hold_id = hold.id AND refund.kind = 'refund'
WHERE hold.kind = 'hold'
"""

# `taken` is the account's running total of minutes paid out, in the order of the rows.
ADMITTED_WITHIN = """
WITH moves AS (
    SELECT
        id, kind, job_id, allowance,
        sum(CASE kind WHEN 'hold' THEN minutes ELSE -minutes END) OVER (
            PARTITION BY period, CASE kind WHEN 'hold' THEN debit ELSE credit END
            ORDER BY id
        ) AS taken
    FROM ledger
    WHERE kind IN ('hold', 'void', 'refund', 'reset')
)
SELECT job_id AS subject, taken <= allowance AS holds
FROM moves
WHERE kind = 'hold'
"""
# The running balance of each server's pool, without its users' accounts, which share its prefix.
POOLS_LAST = """
WITH moves AS (
    SELECT id, credit AS pool, minutes AS change FROM ledger
    UNION ALL
    SELECT id, debit AS pool, -minutes AS change FROM ledger
),
stands AS (
    SELECT pool, sum(change) OVER (PARTITION BY pool ORDER BY id) AS minutes
    FROM moves
    WHERE pool LIKE 'pool:%:available' AND pool NOT LIKE 'pool:%:user:%'
)
SELECT pool AS subject, min(minutes) >= 0 AS holds
FROM stands
GROUP BY pool
"""
BILLED_BY_LENGTH = """
SELECT
    id AS subject,
    CASE
        WHEN repeat_of IS NOT NULL THEN minutes IS NULL
        WHEN frames IS NULL AND minutes IS NULL THEN state IN ('received', 'failed', 'cancelled')
        ELSE minutes = (frames + :frames_a_minute - 1) / :frames_a_minute
    END AS holds
FROM jobs
"""

# Attempts without cost ran on a provider in this process.
SENT_ONCE = """
SELECT
    job_id || ' at ' || provider AS subject,
    coalesce(min(number) FILTER (WHERE state <> 'not_sent'), max(number)) = max(number) AS holds
FROM attempts
WHERE cost_minutes > 0
GROUP BY job_id, provider
"""
STARTED_THREE_TIMES = """
SELECT
    job_id || ' at ' || provider AS subject,
    count(*) FILTER (WHERE state <> 'not_sent') <= :local_starts AS holds
FROM attempts
WHERE cost_minutes = 0
GROUP BY job_id, provider
"""

# A batch starts its songs only after its acknowledgement, and ends with the last one.
SONGS_ENDED = """
SELECT
    batches.id AS subject,
    CASE
        WHEN batches.acknowledged_at IS NULL THEN count(batch_songs.job_id) = 0
        WHEN batches.is_final THEN min(
            CASE WHEN coalesce(jobs.is_final, batch_songs.reason IS NOT NULL) THEN 1 ELSE 0 END
        ) = 1
        ELSE TRUE
    END
    AND count(batch_songs.number) > 0
    AND min(
        CASE
            WHEN batch_songs.job_id IS NULL OR jobs.batch_id = batches.id OR jobs.is_forgotten
                THEN 1
            ELSE 0
        END
    ) = 1 AS holds
FROM batches
LEFT JOIN batch_songs ON batch_songs.batch_id = batches.id
LEFT JOIN jobs ON jobs.id = batch_songs.job_id
GROUP BY batches.id
"""
ALL_BATCHES_FINAL = "SELECT id AS subject, is_final AS holds FROM batches"
BATCH_SHOWN = """
SELECT id AS subject, shown_version = wanted_version AS holds
FROM batches
WHERE is_final AND acknowledged_at IS NOT NULL AND updated_at < :settled_before
"""
BATCH_SECRETS_DROPPED = """
SELECT
    id AS subject,
    (token IS NULL OR (shown_version < wanted_version AND acknowledged_at IS NOT NULL))
        AND NOT EXISTS (SELECT 1 FROM batch_songs WHERE batch_id = batches.id AND url <> '')
        AS holds
FROM batches
WHERE is_final
"""
REPLY_SHOWN = """
SELECT id AS subject, shown_version = wanted_version AS holds
FROM jobs
WHERE is_final AND acknowledged_at IS NOT NULL AND updated_at < :settled_before
"""

TOKENS_DROPPED = """
SELECT
    id AS subject,
    token IS NULL
        OR (shown_version < wanted_version AND acknowledged_at IS NOT NULL AND NOT files_expired)
        AS holds
FROM jobs
WHERE is_final OR files_expired
"""
OPEN_REPLIES_DROPPED = """
SELECT interaction_id AS subject, token_expires_at >= :tokens_valid_since AS holds
FROM open_replies
"""
ADDRESSES_DROPPED = """
SELECT
    jobs.id AS subject,
    instr(jobs.url, '?') = 0
        AND NOT EXISTS (
            SELECT 1 FROM attempts WHERE attempts.job_id = jobs.id AND attempts.files <> '[]'
        ) AS holds
FROM jobs
WHERE files_expired
"""
FORGOTTEN_EMPTY = """
SELECT
    id AS subject,
    user_id < 0 AND interaction_id <= 0 AND files_expired
        AND filename || url || title || locale = ''
        AND size_bytes = 0 AND channel_id = 0 AND role_ids = '[]' AND facts = '{}'
        AND rendition = '{}' AND analysis = '{}'
        AND coalesce(
            source_message_id, parent_channel_id, guild_id, message_id, token_expires_at
        ) IS NULL
        AND coalesce(token, digest, artist, album, batch_id) IS NULL
        AND NOT EXISTS (
            SELECT 1 FROM attempts WHERE attempts.job_id = jobs.id AND ref IS NOT NULL
        )
        AND NOT EXISTS (SELECT 1 FROM events WHERE events.job_id = jobs.id AND note <> '') AS holds
FROM jobs
WHERE is_forgotten
"""

WITHIN_THEIR_TIME = """
SELECT id AS subject, updated_at >= :kept_since AS holds
FROM jobs
WHERE NOT files_expired AND (is_final OR state = 'ready')
"""
WITH_MASTERS = """
SELECT id, recipe, is_unnamed
FROM jobs
WHERE state IN ('ready', 'delivered', 'kept') AND NOT files_expired AND updated_at >= :not_due_since
"""
MAY_HAVE_FILES = "SELECT id FROM jobs WHERE NOT files_expired"

COUNT_REFERENCES = """
SELECT
    (SELECT count(*) FROM attempts) + (SELECT count(*) FROM events)
    + (SELECT count(*) FROM ledger WHERE hold_id IS NOT NULL) AS known
"""
