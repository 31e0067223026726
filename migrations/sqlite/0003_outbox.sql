-- Mail on its way. A row is inserted with what it reports; whoever sends it first moves its due_at past the time that takes,
-- which is its lease: a sender that died is followed by another one then.

CREATE TABLE mail_outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (length(kind) <= 32),
    message_id TEXT NOT NULL CHECK (length(message_id) <= 320),
    recipient TEXT NOT NULL CHECK (length(recipient) <= 320),
    subject TEXT NOT NULL CHECK (length(subject) <= 255),
    text TEXT NOT NULL,
    html TEXT NOT NULL,
    sealed INTEGER NOT NULL CHECK (sealed IN (0, 1)),
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'dead')),
    attempts INTEGER NOT NULL DEFAULT 0,
    refusals INTEGER NOT NULL DEFAULT 0,
    lease_owner TEXT CHECK (length(lease_owner) <= 64),
    last_error TEXT CHECK (length(last_error) <= 64),
    created_at TEXT NOT NULL,
    due_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    settled_at TEXT
) STRICT;
CREATE UNIQUE INDEX idx_mail_outbox_message_id ON mail_outbox (message_id);
CREATE INDEX idx_mail_outbox_due ON mail_outbox (due_at, id) WHERE state = 'queued';
CREATE INDEX idx_mail_outbox_state ON mail_outbox (state, settled_at);
