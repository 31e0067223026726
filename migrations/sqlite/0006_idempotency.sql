-- Idempotency keys. A row is `new` for a lease while its request runs, then `completed` for the TTL with the answer that
-- repetitions get. `idempotency_key` is the key's SHA-256, `fingerprint_hash` a keyed one; `holder` fences the request that may
-- complete the row.

CREATE TABLE idempotency_records (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL CHECK (length(scope) <= 256),
    actor TEXT NOT NULL CHECK (length(actor) <= 128),
    idempotency_key TEXT NOT NULL CHECK (length(idempotency_key) <= 128),
    fingerprint_hash TEXT NOT NULL CHECK (length(fingerprint_hash) <= 128),
    holder TEXT NOT NULL CHECK (length(holder) <= 36),
    status TEXT NOT NULL CHECK (length(status) <= 32),
    response_status INTEGER,
    response_body BLOB,
    content_type TEXT CHECK (length(content_type) <= 128),
    expires_at TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX idx_idempotency_scope_key ON idempotency_records (scope, actor, idempotency_key);
CREATE INDEX idx_idempotency_records_expires_at ON idempotency_records (expires_at);
