package outbox

// Schema creates what the package keeps in a database, the tables lethe_outbox and lethe_outbox_*, in SQLite (3.24 or later) and
// in PostgreSQL (11 or later) alike. Run it with your own migrations, or call Migrate, which also updates. It may be run again,
// also after Migrate, but not by two processes at the same moment. It only
// adds to tables that an older version made. In PostgreSQL the tables stand in the schema that the
// connection's search_path names first.
const Schema = `-- Changes that were committed and are still to be announced.
--
-- One text for two engines, which differ in how they read comments: PostgreSQL nests them, SQLite does not. In
--     a /* /* */ b -- */ c
-- SQLite sees "a b", PostgreSQL "a c"; a line that begins with /* /* */ -- */ is for PostgreSQL alone.

CREATE TABLE IF NOT EXISTS lethe_outbox (
  -- The order of rows. The database draws it; that of an object's change while the object's row is locked.
  number /* /* */ INTEGER PRIMARY KEY AUTOINCREMENT -- */ BIGSERIAL PRIMARY KEY
  ,
  id      TEXT NOT NULL UNIQUE, -- a UUIDv7: the event's id, and the Nats-Msg-Id
  ticket  TEXT NOT NULL,        -- of the call that wrote it
  subject TEXT NOT NULL,        -- below lethe.v1.log.<fleet>
  event   TEXT NOT NULL,        -- a CloudEvent as JSON, of which id and source are given when it is published
  parked  TEXT,                 -- why the server refuses it for good
  created /* /* */ INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)) -- */ BIGINT NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT
);
CREATE INDEX IF NOT EXISTS lethe_outbox_waiting ON lethe_outbox (number) WHERE parked IS NULL;
CREATE INDEX IF NOT EXISTS lethe_outbox_parked ON lethe_outbox (ticket) WHERE parked IS NOT NULL;
CREATE INDEX IF NOT EXISTS lethe_outbox_subject ON lethe_outbox (subject, number) WHERE parked IS NULL;

-- What was announced lately, and where: a ticket is waited for in any process. Rows are known by their ids: a database that was
-- restored, or lost its last moments in a failover, draws numbers that it has drawn before.
CREATE TABLE IF NOT EXISTS lethe_outbox_announced (
  id       TEXT   PRIMARY KEY,
  number   BIGINT NOT NULL, -- what is low is thrown away first
  ticket   TEXT   NOT NULL,
  fleet    TEXT   NOT NULL,
  epoch    TEXT   NOT NULL,
  sequence BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS lethe_outbox_announced_number ON lethe_outbox_announced (number);
CREATE INDEX IF NOT EXISTS lethe_outbox_announced_ticket ON lethe_outbox_announced (ticket);

-- The same, written by relays of the first version of these tables, which knew rows by their numbers.
CREATE TABLE IF NOT EXISTS lethe_outbox_done (
  number   /* /* */ INTEGER PRIMARY KEY -- */ BIGINT PRIMARY KEY
  ,
  ticket   TEXT   NOT NULL,
  fleet    TEXT   NOT NULL,
  epoch    TEXT   NOT NULL,
  sequence BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS lethe_outbox_done_ticket ON lethe_outbox_done (ticket);

-- The one bus that the changes of this database are announced on, and the relay that works at it.
CREATE TABLE IF NOT EXISTS lethe_outbox_bus (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  fleet  TEXT    NOT NULL DEFAULT '',
  epoch  TEXT    NOT NULL DEFAULT '', -- identity of the stream
  owed   INTEGER NOT NULL DEFAULT 0,  -- not 0: everything is to be announced before anything else; another number for each reason
  worker TEXT    NOT NULL DEFAULT ''  -- id of a relay
);
INSERT INTO lethe_outbox_bus (one) VALUES (1) ON CONFLICT DO NOTHING;

-- By which it is found that this database has gone back to an earlier state.
CREATE TABLE IF NOT EXISTS lethe_outbox_home (
  one  INTEGER PRIMARY KEY CHECK (one = 1),
  home TEXT    NOT NULL DEFAULT '', -- the database that this was written in, as its server tells it
  life TEXT    NOT NULL DEFAULT ''  -- a number and a UUID, others each time that it is found
);
INSERT INTO lethe_outbox_home (one) VALUES (1) ON CONFLICT DO NOTHING;

-- The relays, one a process. One whose beat does not change has ended, or hangs.
CREATE TABLE IF NOT EXISTS lethe_outbox_relays (
  id    TEXT   PRIMARY KEY,
  fleet TEXT   NOT NULL,
  epoch TEXT   NOT NULL,
  beat  BIGINT NOT NULL
);

/* /* */ -- */ CREATE OR REPLACE FUNCTION lethe_outbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NOTIFY lethe_outbox; RETURN NULL; END $$;
/* /* */ -- */ DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'lethe_outbox_notify' AND tgrelid = 'lethe_outbox'::regclass) THEN CREATE TRIGGER lethe_outbox_notify AFTER INSERT ON lethe_outbox FOR EACH STATEMENT EXECUTE FUNCTION lethe_outbox_notify(); END IF; END $$;
`
