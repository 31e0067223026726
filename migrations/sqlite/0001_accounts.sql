-- Accounts, roles and sessions. Every column of the contract's tables, the columns that stable sessions need, and foreign keys.
-- AUTOINCREMENT, so that an id is never used again; times are fixed-width ISO 8601 text, so that they sort.

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    email TEXT NOT NULL CHECK (length(email) <= 255),
    name TEXT NOT NULL CHECK (length(name) <= 255),
    avatar_url TEXT CHECK (length(avatar_url) <= 1024),
    status TEXT NOT NULL DEFAULT 'active' CHECK (length(status) <= 32),
    last_login_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX idx_users_email ON users (email);
CREATE INDEX idx_users_status ON users (status);

CREATE TABLE local_credentials (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    password_hash TEXT NOT NULL CHECK (length(password_hash) <= 1024),
    email_verified INTEGER NOT NULL DEFAULT 0 CHECK (email_verified IN (0, 1)),
    email_verified_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX idx_local_credentials_user_id ON local_credentials (user_id);

CREATE TABLE roles (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL CHECK (length(name) <= 64),
    description TEXT CHECK (length(description) <= 255),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX idx_roles_name ON roles (name);
CREATE UNIQUE INDEX idx_roles_name_lower ON roles (lower(name));

CREATE TABLE permissions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    resource TEXT NOT NULL CHECK (length(resource) <= 64),
    action TEXT NOT NULL CHECK (length(action) <= 64),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX idx_perm_unique ON permissions (resource, action);

CREATE TABLE user_roles (
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role_id INTEGER NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    created_at TEXT,
    PRIMARY KEY (user_id, role_id)
) STRICT;
CREATE INDEX idx_user_roles_role_id ON user_roles (role_id);

CREATE TABLE role_permissions (
    role_id INTEGER NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    permission_id INTEGER NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
    created_at TEXT,
    PRIMARY KEY (role_id, permission_id)
) STRICT;
CREATE INDEX idx_role_permissions_permission_id ON role_permissions (permission_id);

-- One row per device, for as long as it stays signed in. family_id is the tokens' `sid`; token_id the current generation's `jti`.
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    family_id TEXT NOT NULL CHECK (length(family_id) <= 64),
    token_id TEXT NOT NULL CHECK (length(token_id) <= 64),
    parent_token_id TEXT CHECK (length(parent_token_id) <= 64),
    generation INTEGER NOT NULL DEFAULT 0,
    refresh_token_hash TEXT NOT NULL CHECK (length(refresh_token_hash) <= 128),
    previous_token_hash TEXT CHECK (length(previous_token_hash) <= 128),
    user_agent TEXT CHECK (length(user_agent) <= 512),
    ip TEXT CHECK (length(ip) <= 64),
    rotated_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    revoked_at TEXT,
    revoked_reason TEXT CHECK (length(revoked_reason) <= 64),
    reuse_detected_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX idx_sessions_family_id ON sessions (family_id);
CREATE UNIQUE INDEX idx_sessions_token_id ON sessions (token_id);
CREATE UNIQUE INDEX idx_sessions_refresh_token_hash ON sessions (refresh_token_hash);
CREATE INDEX idx_sessions_user_id ON sessions (user_id);
CREATE INDEX idx_sessions_expires_at ON sessions (expires_at);
CREATE INDEX idx_sessions_revoked_at ON sessions (revoked_at);

-- Links that make their visitor the first administrator; only the hash is kept.
CREATE TABLE admin_claims (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash TEXT NOT NULL CHECK (length(token_hash) <= 128),
    expires_at TEXT NOT NULL,
    used_at TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX idx_admin_claims_token_hash ON admin_claims (token_hash);
