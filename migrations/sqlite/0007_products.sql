-- The sample resource. A price is a JSON number, hence a double: what was sent comes back to the last digit.

CREATE TABLE products (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL CHECK (length(name) <= 120),
    description TEXT NOT NULL DEFAULT '' CHECK (length(description) <= 500),
    price REAL NOT NULL CHECK (price > 0),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX idx_products_name ON products (name);
