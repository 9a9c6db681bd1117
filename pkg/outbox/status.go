package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Status of a relay at a moment.
type Status struct {
	Working bool          // this process publishes; of all relays of a database one does
	Depth   int           // rows that wait
	Parked  int           // rows that the server refused for good
	Oldest  time.Duration // age of the oldest row that waits, by the database's clock

	Worker    string        // the relay that has the lease, as its RelayConfig.Name and a suffix; "" = none, or the database has not answered yet
	WorkerFor time.Duration // how long this process has seen it there
	Err       error         // why rows wait, as far as this process knows; nil when nothing waits, or nothing has failed since it published last
}

// Status costs a query that counts the rows. With an error, Depth and Parked are not known and 0. Oldest is then what it has come
// to if the rows of the last look still wait, 0 where none waited.
func (r *Relay) Status(ctx context.Context) (Status, error) {
	v := r.post.look()
	s := Status{Working: v.working && r.now()-v.renewed < r.times.fresh, Worker: v.worker, WorkerFor: v.held, Err: r.lastError()}
	var age sql.NullInt64
	row := r.db.QueryRowContext(ctx, r.dialect.count())
	if err := row.Scan(&s.Depth, &s.Parked, &age); err != nil {
		s.Depth, s.Parked, s.Oldest = 0, 0, r.oldestNow()
		return s, fmt.Errorf("outbox: status: %w", err)
	}
	s.Oldest = max(0, time.Duration(age.Int64)*time.Millisecond)
	r.saw(s.Depth > 0, s.Oldest)
	if t := r.trouble.Load(); t != nil && errors.Is(s.Err, t.err) && s.Depth+s.Parked == 0 {
		s.Err = nil // what failed was mended, or was about rows that others have published
	}
	return s, nil
}

// look is the last one at the database that succeeded, and found rows that wait.
type look struct {
	oldest time.Duration
	at     time.Duration
}

// saw notes what a look at the database has found.
func (r *Relay) saw(waits bool, oldest time.Duration) {
	if !waits {
		r.seen.Store(nil)
		return
	}
	r.seen.Store(&look{oldest, r.now()})
}

// oldestNow is the age of the oldest row by now, if it still waits; 0: none waited.
func (r *Relay) oldestNow() time.Duration {
	l := r.seen.Load()
	if l == nil {
		return 0
	}
	return l.oldest + r.now() - l.at
}

// Collector exports lethe_outbox_depth, lethe_outbox_oldest_seconds and lethe_outbox_parked: of the database, so that all
// processes show the same, and lethe_outbox_working, which is 1 in one of them. Each scrape costs one query of at most two
// seconds. Where it fails lethe_outbox_database_up is 0, and depth and parked are NaN. The oldest row grows older if one waited at
// the last look, and is NaN otherwise.
func (r *Relay) Collector() prometheus.Collector { return &r.stats }

type collector struct {
	ask func(context.Context) (Status, error)

	mu sync.Mutex // one scrape asks at a time
}

// scrapeFor bounds the query of a scrape.
const scrapeFor = 2 * time.Second

//nolint:gochecknoglobals // descriptions are immutable
var (
	descDepth   = prometheus.NewDesc("lethe_outbox_depth", "Committed announcements that wait to be published, NaN where the database does not answer.", nil, nil)
	descOldest  = prometheus.NewDesc("lethe_outbox_oldest_seconds", "Age of the oldest announcement that waits.", nil, nil)
	descParked  = prometheus.NewDesc("lethe_outbox_parked", "Announcements that the server refuses for good.", nil, nil)
	descWorking = prometheus.NewDesc("lethe_outbox_working", "Whether this process is the one that publishes.", nil, nil)
	descUp      = prometheus.NewDesc("lethe_outbox_database_up", "1 where the outbox's database answers this process, 0 where it does not.", nil, nil)
)

func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descDepth, descOldest, descParked, descWorking, descUp} {
		to <- d
	}
}

func (c *collector) Collect(to chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), scrapeFor)
	defer cancel()
	s, err := c.ask(ctx)
	depth, oldest, parked, up, working := float64(s.Depth), s.Oldest.Seconds(), float64(s.Parked), 1.0, 0.0
	if err != nil {
		depth, parked, up = math.NaN(), math.NaN(), 0
		if s.Oldest == 0 {
			oldest = math.NaN()
		}
	}
	if s.Working {
		working = 1
	}
	for _, m := range []struct {
		d *prometheus.Desc
		v float64
	}{{descDepth, depth}, {descOldest, oldest}, {descParked, parked}, {descWorking, working}, {descUp, up}} {
		to <- prometheus.MustNewConstMetric(m.d, prometheus.GaugeValue, m.v)
	}
}
