-- Accounts at other providers by which users sign in. name and avatar_url are what the provider said last: as long as the
-- user's own are equal to them, they follow.
CREATE TABLE o_auth_accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider TEXT NOT NULL CHECK (length(provider) <= 32),
    provider_user_id TEXT NOT NULL CHECK (length(provider_user_id) <= 255),
    email_verified INTEGER NOT NULL DEFAULT 0 CHECK (email_verified IN (0, 1)),
    name TEXT NOT NULL DEFAULT '' CHECK (length(name) <= 255),
    avatar_url TEXT NOT NULL DEFAULT '' CHECK (length(avatar_url) <= 1024),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX idx_o_auth_accounts_user_id ON o_auth_accounts (user_id);
CREATE UNIQUE INDEX idx_provider_uid ON o_auth_accounts (provider, provider_user_id);

-- States of sign-ins that have come back once, until they are too old to come back at all; only the hash is kept.
CREATE TABLE used_oauth_states (
    state_hash TEXT PRIMARY KEY CHECK (length(state_hash) <= 64),
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX idx_used_oauth_states_expires_at ON used_oauth_states (expires_at);
