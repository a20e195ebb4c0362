CREATE TABLE jwks (
    id TEXT NOT NULL CONSTRAINT jwks_pkey PRIMARY KEY,
    public_key TEXT NOT NULL,
    private_key TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ,
    alg TEXT,
    crv TEXT
);
