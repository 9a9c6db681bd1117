package outbox

import (
	"context"
	"database/sql"
	"fmt"
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
	Err       error         // why rows wait, as far as this process knows; nil when nothing has failed since it published last
}

// Status costs a query that counts the rows.
func (r *Relay) Status(ctx context.Context) (Status, error) {
	v := r.post.look()
	s := Status{Working: v.working && r.now()-v.renewed < r.times.fresh, Worker: v.worker, WorkerFor: v.held, Err: r.lastError()}
	var age sql.NullInt64
	row := r.db.QueryRowContext(ctx, r.dialect.count())
	if err := row.Scan(&s.Depth, &s.Parked, &age); err != nil {
		return s, fmt.Errorf("outbox: status: %w", err)
	}
	s.Oldest = max(0, time.Duration(age.Int64)*time.Millisecond)
	return s, nil
}

// Collector exports lethe_outbox_depth, lethe_outbox_oldest_seconds and lethe_outbox_parked: of the database, so that all
// processes show the same, and lethe_outbox_working, which is 1 in one of them. Each scrape costs one query of at most two
// seconds; where it fails the last values are shown.
func (r *Relay) Collector() prometheus.Collector { return &r.stats }

type collector struct {
	ask func(context.Context) (Status, error)

	mu   sync.Mutex // guards last; one scrape asks at a time
	last Status
}

// scrapeFor bounds the query of a scrape.
const scrapeFor = 2 * time.Second

//nolint:gochecknoglobals // descriptions are immutable
var (
	descDepth   = prometheus.NewDesc("lethe_outbox_depth", "Committed announcements that wait to be published.", nil, nil)
	descOldest  = prometheus.NewDesc("lethe_outbox_oldest_seconds", "Age of the oldest announcement that waits.", nil, nil)
	descParked  = prometheus.NewDesc("lethe_outbox_parked", "Announcements that the server refuses for good.", nil, nil)
	descWorking = prometheus.NewDesc("lethe_outbox_working", "Whether this process is the one that publishes.", nil, nil)
)

func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descDepth, descOldest, descParked, descWorking} {
		to <- d
	}
}

func (c *collector) Collect(to chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), scrapeFor)
	defer cancel()
	s, err := c.ask(ctx)
	if err != nil {
		working := s.Working
		s = c.last
		s.Working = working
	}
	c.last = s
	working := 0.0
	if s.Working {
		working = 1
	}
	for _, m := range []struct {
		d *prometheus.Desc
		v float64
	}{{descDepth, float64(s.Depth)}, {descOldest, s.Oldest.Seconds()}, {descParked, float64(s.Parked)}, {descWorking, working}} {
		to <- prometheus.MustNewConstMetric(m.d, prometheus.GaugeValue, m.v)
	}
}
