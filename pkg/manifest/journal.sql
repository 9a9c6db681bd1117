-- One text for SQLite and for PostgreSQL, as in migrations/. It is run where a journal is kept and the table is not there, and
-- stands beside the versions of the other tables: a process of before, which knows of no journal, starts on this database as ever.
-- What a later version has to say more of an entry goes into the JSON of it.

CREATE TABLE IF NOT EXISTS lethe_manifest_journal (
    -- Of one object, the order of numbers is the order of its changes: they are drawn while it is locked.
    number /* /* */ INTEGER PRIMARY KEY AUTOINCREMENT -- */ BIGSERIAL PRIMARY KEY
    ,
    at BIGINT NOT NULL, -- milliseconds
    family /* the kind in lower case */ TEXT /* /* */ -- */ COLLATE "C"
        NOT NULL,
    namespace /* '' = all */ TEXT /* /* */ -- */ COLLATE "C"
        NOT NULL,
    name /* '' = all */ TEXT /* /* */ -- */ COLLATE "C"
        NOT NULL,
    entry /* JSON */ TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS lethe_manifest_journal_object ON lethe_manifest_journal (family, namespace, name, number);
CREATE INDEX IF NOT EXISTS lethe_manifest_journal_at ON lethe_manifest_journal (at);
