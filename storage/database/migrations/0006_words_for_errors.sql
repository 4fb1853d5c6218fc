-- Why an attempt ended was stored as the name of an exception's class, also in its job's events.
CREATE TEMP TABLE words (former TEXT NOT NULL PRIMARY KEY, word TEXT NOT NULL);

INSERT INTO words VALUES
    ('ProviderAuth', 'auth'),
    ('ProviderQuotaSpent', 'quota_spent'),
    ('ProviderBusy', 'busy'),
    ('ProviderDown', 'down'),
    ('ProviderProtocol', 'protocol'),
    ('ProviderRefused', 'refused'),
    ('Refused', 'refused'),
    ('SubmitUncertain', 'uncertain'),
    ('Failed', 'failed'),
    ('Lost', 'lost'),
    ('TimedOut', 'timed_out'),
    ('Unfetched', 'results_not_fetched'),
    ('ResultsNotFetched', 'results_not_fetched'),
    ('ProviderRemoved', 'provider_removed'),
    ('Interrupted', 'interrupted'),
    ('Stopped', 'stopped');

UPDATE attempts
SET error = coalesce((SELECT word FROM words WHERE former = error), 'unknown')
WHERE error IS NOT NULL;

UPDATE events
SET note = coalesce((SELECT word FROM words WHERE former = note), 'unknown')
WHERE from_state = 'processing' AND to_state = 'submitting' AND note <> '';

DROP TABLE words;
