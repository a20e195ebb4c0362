-- Emails are compared as ASCII lower case whatever the server's locale, as SQLite does; the service
-- lower-cases all of Unicode before it writes.
CREATE TABLE users (
    id TEXT NOT NULL CONSTRAINT users_pkey PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL CONSTRAINT users_email_key UNIQUE,
    email_verified BOOLEAN NOT NULL,
    image TEXT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    software_background TEXT NULL,
    hardware_background TEXT NULL,
    additional_fields TEXT NOT NULL DEFAULT '{}',
    CONSTRAINT users_email_lowercase CHECK (email = lower(email COLLATE "C")),
    CONSTRAINT users_software_background_length CHECK (char_length(software_background) <= 100000),
    CONSTRAINT users_hardware_background_length CHECK (char_length(hardware_background) <= 100000)
);

-- Free text may exceed what a btree entry holds (2704 bytes); the service changes these to btree
-- when every allowed value fits.
CREATE INDEX users_software_background_idx ON users USING hash (software_background);
CREATE INDEX users_hardware_background_idx ON users USING hash (hardware_background);

CREATE TABLE sessions (
    id TEXT NOT NULL CONSTRAINT sessions_pkey PRIMARY KEY,
    expires_at TIMESTAMPTZ NOT NULL,
    token TEXT NOT NULL CONSTRAINT sessions_token_key UNIQUE,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    ip_address TEXT NOT NULL DEFAULT '',
    user_agent TEXT NOT NULL DEFAULT '',
    user_id TEXT NOT NULL
        CONSTRAINT sessions_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    additional_fields TEXT NOT NULL DEFAULT '{}'
);

CREATE INDEX sessions_user_id_idx ON sessions (user_id);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);

CREATE TABLE accounts (
    id TEXT NOT NULL CONSTRAINT accounts_pkey PRIMARY KEY,
    account_id TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    user_id TEXT NOT NULL
        CONSTRAINT accounts_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    access_token TEXT NULL,
    refresh_token TEXT NULL,
    id_token TEXT NULL,
    access_token_expires_at TIMESTAMPTZ NULL,
    refresh_token_expires_at TIMESTAMPTZ NULL,
    scope TEXT NULL,
    password TEXT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT accounts_provider_id_account_id_key UNIQUE (provider_id, account_id)
);

CREATE INDEX accounts_user_id_idx ON accounts (user_id);
