-- Feature flags and the rules that give some users another value.

CREATE TABLE feature_flags (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL CHECK (length(key) <= 128),
    description TEXT CHECK (length(description) <= 512),
    enabled INTEGER NOT NULL DEFAULT 0 CHECK (enabled IN (0, 1)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX idx_feature_flags_key ON feature_flags (key);

CREATE TABLE feature_flag_rules (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    feature_flag_id INTEGER NOT NULL REFERENCES feature_flags (id) ON DELETE CASCADE,
    type TEXT NOT NULL CHECK (length(type) <= 32),
    match_value TEXT CHECK (length(match_value) <= 255),
    percentage INTEGER NOT NULL DEFAULT 0,
    enabled INTEGER NOT NULL DEFAULT 0 CHECK (enabled IN (0, 1)),
    priority INTEGER NOT NULL DEFAULT 100,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX idx_feature_flag_rules_feature_flag_id ON feature_flag_rules (feature_flag_id);
CREATE INDEX idx_feature_flag_rules_type ON feature_flag_rules (type);
