package manifest

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	lib "modernc.org/sqlite/lib"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Bounds of how long a journal keeps its lines.
const (
	DefaultJournal = 30 * 24 * time.Hour
	MinJournal     = time.Minute
)

// Bounds of what is read of it at a time.
const (
	DefaultJournalLimit = 100
	MaxJournalLimit     = 1000
)

// ErrNoJournal says that no process has ever kept a journal in the database.
var ErrNoJournal = errors.New("manifest: no journal is kept in this database")

// Refused is the action of a journal's line about what was asked for and not done.
const Refused Action = "refused"

// WithJournal has the store write down, in the transaction of each change, what has changed, who has changed it and why: each manifest
// that was applied, deleted or announced, and those that were refused. Lines are kept for as long as keep says (0 =
// [DefaultJournal], at least [MinJournal]): this process removes older ones, also those of others. [Store.Journal] reads them. All
// processes of a database should keep one, since each writes down its own changes. Without this option there is no journal.
//
// Values of fields that the schema of a kind marks "x-secret": true are never in it.
func WithJournal(keep time.Duration) Option {
	return optionFunc(func(o *options) {
		if keep == 0 {
			keep = DefaultJournal
		}
		o.journal = keep
	})
}

// JournalEntry is a line of the journal: what became of one manifest in one change.
type JournalEntry struct {
	Number int64     `json:"-"` // of one object, it rises; as text it is what Continue takes for the lines before this one
	Time   time.Time `json:"time"`
	Verb   string    `json:"verb"`   // apply, delete or invalidate
	Action Action    `json:"action"` // created, configured, deleted, invalidated or refused
	Kind   string    `json:"kind"`
	// Namespace and Name are empty for what was invalidated as a whole: the kind, or a namespace of it.
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	// ResourceVersion and Generation are those after the change; of what was refused there are none.
	ResourceVersion string `json:"resourceVersion,omitempty"`
	Generation      int64  `json:"generation,omitempty"`
	// Actor is who did it; Claimed says whether anybody vouches for that.
	Actor  event.Actor `json:"actor,omitzero"`
	Reason string      `json:"reason,omitempty"`
	Ticket string      `json:"ticket,omitempty"` // of the announcement
	// Fields are what has changed, at most 64 and 16 KiB; More says that there are others.
	Fields []JournalField `json:"fields,omitempty"`
	More   bool           `json:"more,omitempty"`
	// Problems are why it was refused; Left is how many refusals before this one were not written down, because there were too many.
	Problems []JournalProblem `json:"problems,omitempty"`
	Left     int              `json:"left,omitempty"`
}

// JournalProblem is why something was refused. Of kinds with secrets, it does not quote what was given.
type JournalProblem struct {
	Field string `json:"field,omitempty"`
	Text  string `json:"error"`
}

// JournalOptions say which lines are read.
type JournalOptions struct {
	Since    time.Time // zero = all that are kept
	Limit    int       // 0 = DefaultJournalLimit
	Continue string    // what the lines before came with
}

// journal is what a process needs to write down its changes.
type journal struct {
	keep   time.Duration
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex // guards what follows
	allowed float64    // refusals that may be written down now
	counted time.Time  // when that was reckoned
	left    int        // refusals that were not, since the last one that was
}

//go:embed journal.sql
var journalSchema string

// journalLock is the advisory lock under which PostgreSQL's table is made, beside those of objects.
const journalLock = 2

// openJournal makes the table where there is none.
func openJournal(ctx context.Context, s *Store, keep time.Duration) error {
	if keep == 0 {
		return nil
	}
	if keep < MinJournal {
		return fmt.Errorf("manifest: WithJournal: lines are to be kept for %v: use at least %v", keep, MinJournal)
	}
	if err := makeJournal(ctx, s.db); err != nil {
		return fmt.Errorf("manifest: the journal's table could not be made: %w", err)
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.journal = &journal{keep: keep, cancel: cancel, done: make(chan struct{}), allowed: refusalsBurst, counted: time.Now()}
	go s.pruneJournal(life)
	return nil
}

// close waits for the one who removes old lines.
func (j *journal) close() {
	if j != nil {
		j.cancel()
		<-j.done
	}
}

// makeJournal makes the table. Several processes may do so at once: PostgreSQL makes them queue, and SQLite the second try again.
func makeJournal(ctx context.Context, db *database) error {
	const tries = 20
	for try := 1; ; try++ {
		err := makeJournalOnce(ctx, db)
		if err == nil || try == tries || !db.again(err) || ctx.Err() != nil {
			return err
		}
		pause(ctx, time.Duration(try)*10*time.Millisecond)
	}
}

func makeJournalOnce(ctx context.Context, db *database) error {
	var n int
	err := db.write.QueryRowContext(ctx, "SELECT count(*) FROM lethe_manifest_journal WHERE number < 0").Scan(&n)
	if !noTable(err) {
		return err
	}
	tx, err := db.write.BeginTx(ctx, &db.options)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if db.dialect == goose.DialectPostgres {
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1, $2)", lockClass, journalLock); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, journalSchema); err != nil {
		return err
	}
	return tx.Commit()
}

// noTable says of an error that the journal's table is not there.
func noTable(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code == "42P01"
	}
	return sqliteCode(err, lib.SQLITE_ERROR) && strings.Contains(err.Error(), "no such table")
}

// Journal reads what became of an object, the latest first: its own changes, and what was invalidated with its kind or its namespace. kind is
// any name of a kind, also of one that is gone; an empty namespace is [DefaultNamespace]. next is what to pass as Continue for
// the lines before, empty when there are none. [ErrNoJournal] where no process ever kept one.
func (s *Store) Journal(ctx context.Context, kind, namespace, name string, o JournalOptions) (lines []JournalEntry, next string, err error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, "", err
	}
	defer end()
	before, err := o.check()
	if err != nil {
		return nil, "", err
	}
	err = s.reading(ctx, func() (err error) {
		lines, next, err = s.readJournal(ctx, kind, namespace, name, o, before)
		return err
	})
	return lines, next, err
}

// check fills the defaults, and says before which number the lines are.
func (o *JournalOptions) check() (before int64, err error) {
	before = 1<<63 - 1
	if o.Continue != "" {
		if before, err = strconv.ParseInt(o.Continue, 10, 64); err != nil || before <= 0 {
			return 0, &Error{Field: "continue", Reason: "is " + quote(o.Continue) + ", which no journal came with; leave it out to begin with the latest line"}
		}
	}
	switch {
	case o.Limit < 0 || o.Limit > MaxJournalLimit:
		return 0, &Error{Field: "limit", Reason: fmt.Sprintf("is %d, has to be 1 to %d, or 0 for %d", o.Limit, MaxJournalLimit, DefaultJournalLimit)}
	case o.Limit == 0:
		o.Limit = DefaultJournalLimit
	}
	return before, nil
}

func (s *Store) readJournal(ctx context.Context, kind, namespace, name string, o JournalOptions, before int64) (lines []JournalEntry, next string, err error) {
	family, err := s.familyOf(ctx, kind)
	if err != nil {
		return nil, "", err
	}
	id, err := identOf(&shape{family: family, kind: kind}, namespace, name)
	if err != nil {
		return nil, "", err
	}
	since := int64(0)
	if !o.Since.IsZero() {
		since = o.Since.UnixMilli()
	}
	rows, err := s.db.read.QueryContext(ctx, "SELECT number, at, entry FROM lethe_manifest_journal WHERE family = $1 AND "+
		"(namespace, name) IN (VALUES ($2, $3), ($2, ''), ('', '')) AND at >= $4 AND number < $5 ORDER BY number DESC LIMIT $6",
		id.family, id.namespace, id.name, since, before, o.Limit+1)
	if noTable(err) {
		return nil, "", ErrNoJournal
	}
	if err != nil {
		return nil, "", broken(err)
	}
	defer func() { _ = rows.Close() }()
	lines = []JournalEntry{}
	last := int64(0)
	for rows.Next() {
		var (
			number, at int64
			text       []byte
			line       JournalEntry
		)
		if err := rows.Scan(&number, &at, &text); err != nil {
			return nil, "", broken(err)
		}
		if len(lines) == o.Limit {
			next = strconv.FormatInt(last, 10)
			break
		}
		if err := json.Unmarshal(text, &line); err != nil {
			return nil, "", &Error{Field: "journal", Reason: fmt.Sprintf("line %d is damaged in the database", number), Err: broken(err)}
		}
		line.Number, line.Time, last = number, time.UnixMilli(at).UTC(), number
		lines = append(lines, line)
	}
	if err := rows.Err(); noTable(err) {
		return nil, "", ErrNoJournal
	} else if err != nil {
		return nil, "", broken(err)
	}
	return lines, next, nil
}

// familyOf is the family of a kind by any of its names; one that is not known may have been deleted, and is taken by its own name.
func (s *Store) familyOf(ctx context.Context, kind string) (string, error) {
	if sh := s.kinds.typedNamed(kind); sh != nil {
		return sh.family, nil
	}
	sh, _, err := s.storedNamed(ctx, s.db.read, kind)
	if err != nil {
		return "", err
	}
	if sh != nil {
		return sh.family, nil
	}
	family := strings.ToLower(kind)
	if family == "" || event.CheckKind(strings.ToUpper(family[:1])+family[1:]) != nil {
		return "", s.unknownKind(kind)
	}
	return family, nil
}

// journalRow is a line as it is written.
type journalRow struct {
	id   ident
	line JournalEntry
}

// writeJournal writes lines in one statement.
func writeJournal(ctx context.Context, q interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}, lines []journalRow,
) error {
	if len(lines) == 0 {
		return nil
	}
	const columns = 5
	var b strings.Builder
	b.WriteString("INSERT INTO lethe_manifest_journal (at, family, namespace, name, entry) VALUES ")
	args := make([]any, 0, columns*len(lines))
	for i, l := range lines {
		if i > 0 {
			b.WriteString(", ")
		}
		n := len(args)
		_, _ = fmt.Fprintf(&b, "($%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5)
		args = append(args, l.line.Time.UnixMilli(), l.id.family, l.id.namespace, l.id.name, string(plainJSON(l.line)))
	}
	_, err := q.ExecContext(ctx, b.String(), args...)
	return broken(err)
}
