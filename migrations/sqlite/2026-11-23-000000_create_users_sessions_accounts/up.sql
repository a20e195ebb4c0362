-- TIMESTAMP columns hold UTC text as diesel writes it: 2026-01-31 12:00:00.123.
CREATE TABLE users (
    id TEXT NOT NULL CONSTRAINT users_pkey PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL CONSTRAINT users_email_key UNIQUE,
    email_verified BOOLEAN NOT NULL,
    image TEXT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    software_background TEXT NULL,
    hardware_background TEXT NULL,
    additional_fields TEXT NOT NULL DEFAULT '{}',
    CONSTRAINT users_email_lowercase CHECK (email = lower(email)),
    -- length() stops at a NUL, which PostgreSQL refuses anyway.
    CONSTRAINT users_software_background_length CHECK (
        software_background IS NULL
        OR (typeof(software_background) = 'text'
            AND instr(software_background, char(0)) = 0
            AND length(software_background) <= 100000)
    ),
    CONSTRAINT users_hardware_background_length CHECK (
        hardware_background IS NULL
        OR (typeof(hardware_background) = 'text'
            AND instr(hardware_background, char(0)) = 0
            AND length(hardware_background) <= 100000)
    )
);

CREATE INDEX users_software_background_idx ON users (software_background);
CREATE INDEX users_hardware_background_idx ON users (hardware_background);

CREATE TABLE sessions (
    id TEXT NOT NULL CONSTRAINT sessions_pkey PRIMARY KEY,
    expires_at TIMESTAMP NOT NULL,
    token TEXT NOT NULL CONSTRAINT sessions_token_key UNIQUE,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
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
    access_token_expires_at TIMESTAMP NULL,
    refresh_token_expires_at TIMESTAMP NULL,
    scope TEXT NULL,
    password TEXT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    CONSTRAINT accounts_provider_id_account_id_key UNIQUE (provider_id, account_id)
);

CREATE INDEX accounts_user_id_idx ON accounts (user_id);
