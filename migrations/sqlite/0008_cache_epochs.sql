-- The state that cached answers belong to: raised in the transaction of every change that makes them invalid.

CREATE TABLE cache_epochs (
    namespace_name TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL
) STRICT;
