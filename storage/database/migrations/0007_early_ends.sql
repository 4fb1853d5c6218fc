-- Whether the user's file breaks off amid sound: the card says where.

ALTER TABLE jobs ADD COLUMN ends_early INTEGER NOT NULL DEFAULT 0 CHECK (ends_early IN (0, 1));
