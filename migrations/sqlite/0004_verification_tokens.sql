-- One-time tokens, sent by mail; only the hash is kept.
CREATE TABLE verification_tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token_hash TEXT NOT NULL CHECK (length(token_hash) <= 128),
    purpose TEXT NOT NULL CHECK (length(purpose) <= 32),
    expires_at TEXT NOT NULL,
    used_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX idx_verification_tokens_user_id ON verification_tokens (user_id);
CREATE UNIQUE INDEX idx_verification_tokens_token_hash ON verification_tokens (token_hash);
CREATE INDEX idx_verification_tokens_purpose ON verification_tokens (purpose);
CREATE INDEX idx_verification_tokens_expires_at ON verification_tokens (expires_at);
CREATE INDEX idx_verification_tokens_used_at ON verification_tokens (used_at);

-- Somebody asked for a token by this address, which may be anybody's: a row is written for each, and looked into behind the
-- answer, so that neither the answer nor its time tells which addresses have an account.
CREATE TABLE token_requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    purpose TEXT NOT NULL CHECK (length(purpose) <= 32),
    email TEXT NOT NULL CHECK (length(email) <= 255),
    created_at TEXT NOT NULL
) STRICT;
