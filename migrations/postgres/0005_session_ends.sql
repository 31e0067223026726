-- Sessions end with what they rest on, whoever ends it, and other nodes hear of it at once.

-- A session that lives belongs to an active user: here, so that no path past the product leaves one behind. The lock makes a
-- sign-in and a change of the status that overlap wait for each other.
CREATE FUNCTION refuse_session_of_inactive_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM users WHERE id = NEW.user_id AND status = 'active' FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'sessions belong to active users' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER sessions_of_active_users BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION refuse_session_of_inactive_user();

-- The product sets updated_at too; its clock then counts, else the database's.
CREATE FUNCTION end_sessions_of_inactive_user() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := CASE WHEN NEW.updated_at = OLD.updated_at THEN now() ELSE NEW.updated_at END;
BEGIN
    UPDATE sessions SET revoked_at = at, revoked_reason = 'user_inactive', updated_at = at
    WHERE user_id = NEW.id AND revoked_at IS NULL;
    RETURN NULL;
END;
$$;

CREATE TRIGGER users_inactive AFTER UPDATE OF status ON users FOR EACH ROW
WHEN (NEW.status <> 'active' AND OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION end_sessions_of_inactive_user();

CREATE FUNCTION announce_session_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('session_ended', NEW.family_id || ' ' || coalesce(NEW.revoked_reason, ''));
    RETURN NULL;
END;
$$;

CREATE TRIGGER sessions_end_announced AFTER UPDATE OF revoked_at ON sessions FOR EACH ROW
WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION announce_session_end();
