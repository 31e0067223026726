-- The audit trail. A row is inserted with what it reports, unsealed; the sealer then gives it its place in the chain, once.
-- Rows are never changed otherwise, and only deleted below the anchor, which retention moves.

CREATE TABLE audit_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_name TEXT NOT NULL CHECK (length(event_name) <= 64),
    event_version INTEGER NOT NULL,
    actor_user_id TEXT NOT NULL CHECK (length(actor_user_id) <= 32),
    actor_ip TEXT NOT NULL CHECK (length(actor_ip) <= 64),
    target_type TEXT NOT NULL CHECK (length(target_type) <= 64),
    target_id TEXT NOT NULL CHECK (length(target_id) <= 255),
    action TEXT NOT NULL CHECK (length(action) <= 64),
    outcome TEXT NOT NULL CHECK (length(outcome) <= 16),
    reason TEXT NOT NULL CHECK (length(reason) <= 64),
    request_id TEXT NOT NULL CHECK (length(request_id) <= 128),
    trace_id TEXT NOT NULL CHECK (length(trace_id) <= 32),
    span_id TEXT NOT NULL CHECK (length(span_id) <= 16),
    ts TEXT NOT NULL,
    extras TEXT NOT NULL,
    sequence INTEGER,
    previous_hash TEXT,
    hash TEXT
) STRICT;
CREATE UNIQUE INDEX idx_audit_events_sequence ON audit_events (sequence);
CREATE INDEX idx_audit_events_unsealed ON audit_events (id) WHERE sequence IS NULL;

CREATE TABLE audit_chain (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    anchor_sequence INTEGER NOT NULL,
    anchor_hash TEXT NOT NULL,
    head_sequence INTEGER NOT NULL,
    head_hash TEXT NOT NULL
) STRICT;
INSERT INTO audit_chain (id, anchor_sequence, anchor_hash, head_sequence, head_hash)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000',
        0, '0000000000000000000000000000000000000000000000000000000000000000');

CREATE TRIGGER audit_events_sealed_once BEFORE UPDATE ON audit_events
WHEN OLD.sequence IS NOT NULL OR NEW.sequence IS NULL OR NEW.previous_hash IS NULL OR NEW.hash IS NULL
    OR (OLD.id, OLD.event_name, OLD.event_version, OLD.actor_user_id, OLD.actor_ip, OLD.target_type, OLD.target_id,
        OLD.action, OLD.outcome, OLD.reason, OLD.request_id, OLD.trace_id, OLD.span_id, OLD.ts, OLD.extras)
    IS NOT (NEW.id, NEW.event_name, NEW.event_version, NEW.actor_user_id, NEW.actor_ip, NEW.target_type, NEW.target_id,
        NEW.action, NEW.outcome, NEW.reason, NEW.request_id, NEW.trace_id, NEW.span_id, NEW.ts, NEW.extras)
BEGIN
    SELECT RAISE(ABORT, 'audit_events is append-only');
END;

CREATE TRIGGER audit_events_kept BEFORE DELETE ON audit_events
WHEN OLD.sequence IS NULL OR OLD.sequence > (SELECT anchor_sequence FROM audit_chain)
BEGIN
    SELECT RAISE(ABORT, 'audit_events is append-only');
END;
