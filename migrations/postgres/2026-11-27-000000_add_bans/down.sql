ALTER TABLE users
    DROP COLUMN ban_expires,
    DROP COLUMN ban_reason,
    DROP COLUMN banned;
