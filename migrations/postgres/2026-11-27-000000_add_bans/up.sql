-- A ban without an end holds until it is lifted.
ALTER TABLE users
    ADD COLUMN banned BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN ban_reason TEXT NULL,
    ADD COLUMN ban_expires TIMESTAMPTZ NULL;
