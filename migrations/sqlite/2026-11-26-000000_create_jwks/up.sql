CREATE TABLE jwks (
    id TEXT NOT NULL CONSTRAINT jwks_pkey PRIMARY KEY,
    public_key TEXT NOT NULL,
    private_key TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP,
    alg TEXT,
    crv TEXT
);
