-- One text for SQLite and for PostgreSQL. PostgreSQL nests comments and SQLite does not, so that what follows
-- "/* /* */ -- */" on a line is read by PostgreSQL alone. Names are compared byte by byte in both: pages of a list
-- have one order everywhere.

-- +goose Up
CREATE TABLE IF NOT EXISTS lethe_manifests (
    family /* of its tags: the kind in lower case */ TEXT /* /* */ -- */ COLLATE "C"
        NOT NULL,
    namespace TEXT /* /* */ -- */ COLLATE "C"
        NOT NULL,
    name TEXT /* /* */ -- */ COLLATE "C"
        NOT NULL,
    kind TEXT NOT NULL,
    api_version TEXT NOT NULL,
    uid TEXT NOT NULL,
    generation BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created BIGINT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    spec TEXT NOT NULL,
    status TEXT NOT NULL,
    PRIMARY KEY (family, namespace, name)
);

CREATE TABLE IF NOT EXISTS lethe_manifest_references (
    from_family TEXT NOT NULL,
    from_namespace TEXT NOT NULL,
    from_name TEXT NOT NULL,
    to_family TEXT NOT NULL,
    to_namespace TEXT NOT NULL,
    to_name TEXT NOT NULL,
    PRIMARY KEY (from_family, from_namespace, from_name, to_family, to_namespace, to_name)
);

CREATE INDEX IF NOT EXISTS lethe_manifest_references_to
    ON lethe_manifest_references (to_family, to_namespace, to_name, from_family, from_namespace, from_name);

-- Every name of every stored kind: two kinds can't have one.
CREATE TABLE IF NOT EXISTS lethe_manifest_names (
    name TEXT NOT NULL PRIMARY KEY,
    family TEXT NOT NULL
);

-- The number of the last change. PostgreSQL has a sequence for it: a row would make its writers queue.
CREATE TABLE IF NOT EXISTS lethe_manifest_counter (
    value BIGINT NOT NULL
);

INSERT INTO lethe_manifest_counter (value) SELECT 0 WHERE NOT EXISTS (SELECT value FROM lethe_manifest_counter);

-- +goose StatementBegin
/* /* */ -- */ CREATE SEQUENCE IF NOT EXISTS lethe_manifest_changes;
-- +goose StatementEnd
