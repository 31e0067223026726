-- The state that cached answers belong to: raised in the transaction of every change that makes them invalid.

CREATE TABLE cache_epochs (
    namespace_name varchar(128) PRIMARY KEY,
    epoch bigint NOT NULL
);
