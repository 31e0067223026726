-- The keys that sign access tokens. A key signs from signs_from on, until a later one does; it verifies until the last token
-- that it signed has expired, and is deleted after that. The private half is encrypted with a key of the environment.

CREATE TABLE signing_keys (
    kid varchar(64) PRIMARY KEY,
    algorithm varchar(16) NOT NULL,
    public_key varchar(128) NOT NULL,
    sealed_private_key varchar(256) NOT NULL,
    created_at timestamptz NOT NULL,
    signs_from timestamptz NOT NULL
);
CREATE INDEX idx_signing_keys_signs_from ON signing_keys (signs_from);

CREATE FUNCTION announce_signing_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('signing_keys', NEW.kid);
    RETURN NULL;
END;
$$;

CREATE TRIGGER signing_keys_announced AFTER INSERT ON signing_keys FOR EACH ROW EXECUTE FUNCTION announce_signing_key();
