-- Pictures of users. A row exists before its object does and goes only after it, so that no object is ever without one:
-- pending until the object is stored, current while it is the user's picture, doomed once it is to be removed. Whoever removes
-- one first moves its due_at past the time that takes, which is its lease. A user who is deleted leaves the row to the clean-up.

CREATE TABLE avatars (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    link TEXT NOT NULL CHECK (length(link) <= 36),
    object_key TEXT NOT NULL CHECK (length(object_key) <= 200),
    state TEXT NOT NULL CHECK (state IN ('pending', 'current', 'doomed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    due_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX idx_avatars_link ON avatars (link);
CREATE UNIQUE INDEX idx_avatars_object_key ON avatars (object_key);
CREATE UNIQUE INDEX idx_avatars_current ON avatars (user_id) WHERE state = 'current';
CREATE INDEX idx_avatars_user_id ON avatars (user_id);
CREATE INDEX idx_avatars_due ON avatars (due_at, id) WHERE state <> 'current' OR user_id IS NULL;
