package outbox

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lethe-cache/lethe/pkg/event"
)

// A database may go back to an earlier state: a backup is restored in its place, or a standby that had fallen behind becomes the
// primary. What was announced of changes that are gone has made nodes load values that are no longer there, and the numbers of rows are
// drawn again. A relay finds that in three ways, with its next beat, and then everything is announced:
//
//   - The server says that it is another one than the database was written in: home, which stands in the database and goes back with it.
//     PostgreSQL counts timelines; a standby begins one when it becomes the primary, and so does a restore to a moment.
//   - The relay's own row is not as it left it, or another's is lower than it has seen it: each beat raises a number in it, which nobody
//     else writes. A row that others took away for its silence goes on from where it was.
//   - A row that the relay has read, the one with the highest number, or one that it has published, is gone, and nobody has announced it.
//
// The last two need a relay that lived before. The first does not, and is all that tells of a failover what was committed, read
// and lost within a second, announced or not.

// stampFor says how long a relay relies on its own row, as a part of times.lapse: others take the rows of silent relays away.
const stampFor = 2

// homes are questions to PostgreSQL which database it is, the one that tells most first. Not every server, and not every user of one,
// has the functions of all.
func homes() []string {
	const rest = "'database=' || d.oid || ';table=' || 'lethe_outbox'::regclass::oid FROM pg_database d"
	const here = " WHERE d.datname = current_database()"
	return []string{
		"SELECT 'cluster=' || c.system_identifier || ';timeline=' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || ';' || " + rest + ", pg_control_system() c" + here,
		"SELECT 'timeline=' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || ';' || " + rest + here,
		"SELECT " + rest + here,
	}
}

// home asks the server which database it is; "" where it does not say.
func (r *Relay) home(ctx context.Context) string {
	if r.dialect != postgres {
		return ""
	}
	for all := homes(); r.asked < len(all); r.asked++ {
		var text string
		err := r.db.QueryRowContext(ctx, all[r.asked]).Scan(&text)
		if err == nil {
			return text
		}
		refused := (*pgconn.PgError)(nil)
		if !errors.As(err, &refused) || !strings.HasPrefix(refused.Code, "42") && !strings.HasPrefix(refused.Code, "0A") {
			return "" // it may answer the next time: a standby, for one, has no timeline of its own
		}
	}
	return ""
}

// parts takes a home apart.
func parts(home string) map[string]string {
	all := make(map[string]string)
	for part := range strings.SplitSeq(home, ";") {
		if name, value, ok := strings.Cut(part, "="); ok {
			all[name] = value
		}
	}
	return all
}

// moved says which part of a home is another one. A part that one of the two does not name says nothing.
func moved(recorded, now string) (part string) {
	was := parts(recorded)
	for name, value := range parts(now) {
		if old, known := was[name]; known && old != value {
			part = max(part, name)
		}
	}
	return part
}

// joined is what is recorded of a home: what the server says now, and what it said before where it says nothing now.
func joined(recorded, now string) string {
	has := parts(now)
	for part := range strings.SplitSeq(recorded, ";") {
		if name, _, ok := strings.Cut(part, "="); ok && has[name] == "" {
			now = strings.TrimPrefix(now+";"+part, ";")
		}
	}
	return now
}

// origins is what stands in the database of where it comes from.
type origins struct {
	home, life string
	owed       int   // not 0: everything is to be announced before any row
	own        int64 // beat in this relay's own row
	gone       bool  // there is no such row
}

// stamp is what a relay has written last, and has to find again.
type stamp struct {
	beat int64 // 0 = none yet
	life string
	at   time.Duration
}

// origin is what a beat has found out about where the database comes from, and what is to be recorded of it.
type origin struct {
	home, life string
	write      bool
	back       string // why the database is taken for one that has gone back; "" = it is not
}

// origin judges by this relay's own row as it is now, before it is raised, and by what else is lost of what the relay has seen there.
//
// A life has a number, which rises each time that a database is found to have gone back. A higher one than that of which something is
// lost says that another has found it, and told; a lower one that it is an earlier state.
func (s *stamp) origin(now, lapse time.Duration, lost loss, home string, was origins) origin {
	o := origin{home: joined(was.home, home), life: was.life}
	there, known := lifeNumber(was.life), lifeNumber(s.life)
	of := lifeNumber(lost.life)
	switch part := moved(was.home, home); {
	case part != "":
		o.home, o.back = home, "its server says that the "+part+" is another one"
	case lost.what != "" && there <= of:
		o.back = lost.what
	case s.beat == 0 || there > known:
	case was.life != s.life:
		o.back = lostLife
	case !was.gone && was.own < s.beat || was.gone && now-s.at < lapse/stampFor:
		o.back = "what this relay wrote into it is gone"
	}
	if o.back != "" || o.life == "" {
		o.life = strconv.Itoa(max(there, known, of)+1) + "." + event.NewID()
	}
	o.write = o.home != was.home || o.life != was.life
	return o
}

func lifeNumber(life string) int {
	digits, _, _ := strings.Cut(life, ".")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}
