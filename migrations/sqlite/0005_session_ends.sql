-- Sessions end with what they rest on, whoever ends it.

-- A session that lives belongs to an active user: here, so that no path past the product leaves one behind.
CREATE TRIGGER sessions_of_active_users BEFORE INSERT ON sessions
WHEN NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id AND status = 'active')
BEGIN
    SELECT RAISE(ABORT, 'sessions belong to active users');
END;

-- The product sets updated_at too; its clock then counts, else the machine's.
CREATE TRIGGER users_inactive AFTER UPDATE OF status ON users
WHEN NEW.status <> 'active' AND OLD.status <> NEW.status
BEGIN
    UPDATE sessions
    SET revoked_at = CASE WHEN NEW.updated_at = OLD.updated_at THEN strftime('%Y-%m-%dT%H:%M:%f000Z', 'now') ELSE NEW.updated_at END,
        updated_at = CASE WHEN NEW.updated_at = OLD.updated_at THEN strftime('%Y-%m-%dT%H:%M:%f000Z', 'now') ELSE NEW.updated_at END,
        revoked_reason = 'user_inactive'
    WHERE user_id = NEW.id AND revoked_at IS NULL;
END;
