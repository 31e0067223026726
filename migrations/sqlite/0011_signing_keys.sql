-- The keys that sign access tokens. A key signs from signs_from on, until a later one does; it verifies until the last token
-- that it signed has expired, and is deleted after that. The private half is encrypted with a key of the environment.

CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY CHECK (length(kid) <= 64),
    algorithm TEXT NOT NULL CHECK (length(algorithm) <= 16),
    public_key TEXT NOT NULL CHECK (length(public_key) <= 128),
    sealed_private_key TEXT NOT NULL CHECK (length(sealed_private_key) <= 256),
    created_at TEXT NOT NULL,
    signs_from TEXT NOT NULL
) STRICT;
CREATE INDEX idx_signing_keys_signs_from ON signing_keys (signs_from);
