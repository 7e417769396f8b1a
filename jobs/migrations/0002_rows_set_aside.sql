-- Rows that the online store refused for good: the sessionizer sets them aside and goes on with all others. One row per key and
-- partition, the newest; a row that is accepted later stays here until somebody deletes it.
CREATE TABLE ops.rows_set_aside (
    topic text NOT NULL,
    partition int NOT NULL, -- of Kafka
    view text NOT NULL, -- the feature view
    key_hash text NOT NULL, -- of the whole key, which may be longer than an index takes
    key text NOT NULL, -- the entity's columns as a JSON array, cut after 1,000 characters
    version bigint NOT NULL, -- Kafka offset of the newest message in the row
    reason text NOT NULL, -- invalid_value, constraint, too_large, repeated_key, rule_of_the_database, other
    sqlstate text NOT NULL, -- empty: it did not reach the server
    message text NOT NULL, -- in the server's words
    "row" text NOT NULL, -- as JSON, cut after 10,000 characters
    times bigint NOT NULL DEFAULT 1, -- how often a row of this key was refused
    first_at timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition, view, key_hash)
);
