ALTER TABLE users DROP COLUMN ban_expires;
ALTER TABLE users DROP COLUMN ban_reason;
ALTER TABLE users DROP COLUMN banned;
