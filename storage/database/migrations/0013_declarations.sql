-- What bots learn from workers, kept where they need it. Only PostgreSQL has any rows.

-- The model as it was declared when the separation was requested: its worker may be gone, or another
-- version, when the result is collected.
ALTER TABLE separations ADD COLUMN declared TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(declared));

ALTER TABLE workers ADD COLUMN trouble TEXT;  -- why it takes no songs, or none for some models
