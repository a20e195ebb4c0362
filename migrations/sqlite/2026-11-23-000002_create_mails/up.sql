-- The outbox. The payload holds the link until the mail is sent, and is blank after that.
CREATE TABLE mails (
    id TEXT NOT NULL CONSTRAINT mails_pkey PRIMARY KEY,
    kind TEXT NOT NULL,
    recipient TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_attempt_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NULL,
    last_error TEXT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    sent_at TIMESTAMP NULL,
    CONSTRAINT mails_state CHECK (state IN ('pending', 'sent', 'failed')),
    CONSTRAINT mails_attempts CHECK (attempts >= 0)
);

CREATE INDEX mails_state_next_attempt_at_idx ON mails (state, next_attempt_at);
CREATE INDEX mails_created_at_idx ON mails (created_at);
