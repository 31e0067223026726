-- Lists of users in every order, beside a row that was seen, however many there are. Ids make ties definite. An
-- absent sign-in is the earliest, as lists show it: statements have the same expression.

CREATE INDEX idx_users_created_at_id ON users (created_at, id);
CREATE INDEX idx_users_updated_at_id ON users (updated_at, id);
CREATE INDEX idx_users_name_id ON users (name, id);
CREATE INDEX idx_users_status_id ON users (status, id);
CREATE INDEX idx_users_last_login_at_id ON users (coalesce(last_login_at, '0001-01-01T00:00:00.000000Z'), id);
