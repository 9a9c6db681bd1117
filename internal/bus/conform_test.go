package bus_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

// way is one of the ways to follow a stream.
type way struct{ name string }

var (
	republished = way{"republished"}
	consumed    = way{"consumed"}
)

func (w way) consumer() bool { return w == consumed }

func (w way) open(t *testing.T, nc *nats.Conn, change ...func(*bus.Config)) *node {
	t.Helper()
	return open(t, nc, append([]func(*bus.Config){func(c *bus.Config) { c.Consumer = w.consumer() }}, change...)...)
}

// fleet opens n ready nodes on one server.
func (w way) fleet(t *testing.T, n int) []*node {
	t.Helper()
	srv := serve(t)
	nodes := make([]*node, n)
	for i := range nodes {
		nodes[i] = w.open(t, connect(t, srv))
	}
	ready(t, nodes...)
	return nodes
}

// stream is a stream that an operator made for this way and no other.
func (w way) stream(c *jetstream.StreamConfig) {
	if w.consumer() {
		c.RePublish = nil
	}
}

// promises are what every Feed keeps together with the cursor behind it, with the real server.
var promises = []struct {
	name  string
	check func(*testing.T, way)
}{
	{"what one invalidates all have applied", whatOneInvalidatesAllHaveApplied},
	{"what comes live has the number and the time it is stored with", whatComesLiveHasTheNumberAndTimeItIsStoredWith},
	{"a single lost message is fetched", aSingleLostMessageIsFetched},
	{"a lost tail is fetched without any further event", aLostTailIsFetchedWithoutAnyFurtherEvent},
	{"repeated, reordered and delayed messages heal", repeatedReorderedAndDelayedMessagesHeal},
	{"a full queue is a hole and not a reset", aFullQueueIsAHoleAndNotAReset},
	{"a client that hangs heals without a reset", aClientThatHangsHealsWithoutAReset},
	{"megabytes come live", megabytesComeLive},
	{"a cut connection heals without a reset", aCutConnectionHealsWithoutAReset},
	{"a restarted server keeps its stream and nothing is missed", aRestartedServerKeepsItsStreamAndNothingIsMissed},
	{"a memory stream that is gone with its server is a new epoch", aMemoryStreamThatIsGoneWithItsServerIsANewEpoch},
	{"a stream that is deleted is made anew", aStreamThatIsDeletedIsMadeAnew},
	{"a purged external stream heals or resets", aPurgedExternalStreamHealsOrResets},
	{"a truncated head is a reset", aTruncatedHeadIsAReset},
	{"an older store that gives numbers anew is a reset", anOlderStoreThatGivesNumbersAnewIsAReset},
	{"a lease ends with its server", aLeaseEndsWithItsServer},
	{"a quiet node keeps its lease by what others store", aQuietNodeKeepsItsLeaseByWhatOthersStore},
	{"a program that only knows NATS is applied", aProgramThatOnlyKnowsNATSIsApplied},
	{"forged server headers are ignored and counted", forgedServerHeadersAreIgnoredAndCounted},
	{"forged headers of a fetched message are ignored", forgedHeadersOfAFetchedMessageAreIgnored},
	{"bad events are counted and never stop the feed", badEventsAreCountedAndNeverStopTheFeed},
	{"mark is above all that had come and below what comes then", markIsAboveAllThatHadComeAndBelowWhatComesThen},
	{"close leaves nothing behind", closeLeavesNothingBehind},
}

func conform(t *testing.T, w way) {
	t.Helper()
	for _, p := range promises {
		t.Run(strings.ReplaceAll(p.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			p.check(t, w)
		})
	}
}

func TestWhatIsRepublishedKeepsThePromisesOfAFeed(t *testing.T) {
	t.Parallel()
	conform(t, republished)
}

func TestAConsumerKeepsThePromisesOfAFeed(t *testing.T) { t.Parallel(); conform(t, consumed) }

func whatComesLiveHasTheNumberAndTimeItIsStoredWith(t *testing.T, w way) {
	nodes := w.fleet(t, 2)
	for i := range 20 {
		invalidate(t, nodes[0], tag(i))
	}
	wait(t, invalidate(t, nodes[0], "last:1"), nodes...)
	stream, err := jets(t, nodes[1].nc).Stream(t.Context(), event.StreamName(fleet))
	if err != nil {
		t.Fatal(err)
	}
	comesLive(t, nodes[0], nodes[1]) // on a busy machine it may have fetched what it was slow to hear
	nodes[1].mu.Lock()
	defer nodes[1].mu.Unlock()
	for _, d := range nodes[1].applied {
		stored, err := stream.GetMsg(t.Context(), d.Sequence)
		if err != nil {
			t.Fatal(err)
		}
		if !stored.Time.Equal(d.Stored) {
			t.Errorf("%d: stored at %v, said to be at %v", d.Sequence, stored.Time, d.Stored)
		}
	}
}

// aClientThatHangsHealsWithoutAReset: what was stored meanwhile waits in the client and on the server, and some of it comes
// long after it was fetched.
func aClientThatHangsHealsWithoutAReset(t *testing.T, w way) {
	good, bad, f := w.faultyPair(t)
	hang, entered := make(chan struct{}), make(chan struct{}, 1)
	f.with(func(a bus.Arrival) []bus.Arrival {
		select {
		case entered <- struct{}{}:
		default:
		}
		<-hang
		return []bus.Arrival{a}
	})
	invalidate(t, good, "a:1")
	<-entered
	const events = 200
	for i := range events {
		publishRaw(t, good.nc, &nats.Msg{Subject: event.LogSubject(fleet, "tag.item"), Data: padded(tag(i), 60_000)})
	}
	// While it hangs. The server may hold publishers back until it has got rid of what waits for the one that does not read.
	var token event.Token
	eventually(t, "an event is stored", func() (ok bool) {
		var err error
		token, err = good.Invalidate(t.Context(), []event.Target{event.Tag("last:1")})
		return err == nil
	})
	wait(t, token, bad)
	close(hang)
	serves(t, good, bad)
	for i := range events {
		if bad.forgot(tag(i)) == 0 {
			t.Fatalf("%s was never applied", tag(i))
		}
	}
	if len(bad.causes()) != 1 {
		t.Errorf("resets %v", bad.causes())
	}
}

// comesLive checks that the feed brings what from stores: what heals it does not.
func comesLive(t *testing.T, from, to *node) {
	t.Helper()
	eventually(t, "events come live", func() bool {
		name := "live:" + event.NewID()
		wait(t, invalidate(t, from, name), to)
		return cameLive(to, name)
	})
}

// padded is an event with so many bytes.
func padded(tag string, size int) []byte {
	b := raw(tag)
	return append(b, []byte(strings.Repeat(" ", size-len(b)))...)
}

func megabytesComeLive(t *testing.T, w way) {
	nodes := w.fleet(t, 2)
	const events = 300
	for i := range events {
		publishRaw(t, nodes[0].nc, &nats.Msg{Subject: event.LogSubject(fleet, "tag.item"), Data: padded(tag(i), 50_000)})
	}
	wait(t, invalidate(t, nodes[0], "last:1"), nodes...) // asked again while the server still stores what came before
	comesLive(t, nodes[0], nodes[1])
	for i := range events {
		if nodes[1].forgot(tag(i)) == 0 {
			t.Fatalf("%s was never applied", tag(i))
		}
	}
}

func aCutConnectionHealsWithoutAReset(t *testing.T, w way) {
	srv := serverOnTCP(t, t.TempDir())
	a, b := w.open(t, dial(t, srv.URL())), w.open(t, dial(t, srv.URL()))
	ready(t, a, b)
	for i := range 5 {
		if err := b.nc.ForceReconnect(); err != nil {
			t.Fatal(err)
		}
		invalidate(t, a, tag(i))
		serves(t, a, b)
	}
	comesLive(t, a, b)
	for i := range 5 {
		if b.forgot(tag(i)) == 0 {
			t.Errorf("%s was never applied", tag(i))
		}
	}
	if len(b.causes()) != 1 {
		t.Errorf("resets %v", b.causes())
	}
}

// aQuietNodeKeepsItsLeaseByWhatOthersStore: it has no reason to tick itself, so only the feed can confirm the leader's word.
func aQuietNodeKeepsItsLeaseByWhatOthersStore(t *testing.T, w way) {
	srv := serve(t)
	var published func() uint64
	n := w.open(t, connect(t, srv), func(c *bus.Config) { c.MaxStaleness = 5 * time.Second })
	other := connect(t, srv)
	ready(t, n)
	stream, err := jets(t, other).Stream(t.Context(), event.StreamName(fleet))
	if err != nil {
		t.Fatal(err)
	}
	published = func() uint64 {
		info, err := stream.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return info.State.LastSeq
	}
	every := time.NewTicker(300 * time.Millisecond)
	defer every.Stop()
	// A machine that stands still for a second makes it tick, for five it lets the lease lapse: one good stretch is enough.
	eventually(t, "8 s with a lease and few messages of its own", func() bool {
		before, said := published(), uint64(0)
		for end := time.Now().Add(8 * time.Second); time.Now().Before(end); <-every.C {
			m := event.EncodeSys(fleet, event.SysTick, "/lethe/shop/other", "other", event.NewID(), time.Now())
			publishRaw(t, other, &nats.Msg{Subject: m.Subject, Header: nats.Header(m.Header), Data: m.Data})
			said++
			if !n.leased() {
				t.Log("the lease lapsed")
				return false
			}
		}
		own := published() - before - said
		t.Logf("it stored %d messages of its own", own)
		return own <= 3
	})
}

func markIsAboveAllThatHadComeAndBelowWhatComesThen(t *testing.T, w way) {
	good, bad, f := w.faultyPair(t)
	hang, entered := make(chan struct{}), make(chan struct{})
	numbers := make(chan uint64, 1000)
	first := true
	f.with(func(a bus.Arrival) []bus.Arrival {
		if first {
			first = false
			close(entered)
			<-hang
		}
		numbers <- a.Number
		return []bus.Arrival{a}
	})
	before := f.Mark()
	for i := range 10 {
		invalidate(t, good, tag(i))
	}
	<-entered
	// A consumer may deliver some time after the publish was acknowledged.
	eventually(t, "what waits behind a callback is counted", func() bool { return f.Mark() >= before+10 })
	if err := bad.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	mark := f.Mark()
	close(hang)
	var last uint64
	for range 10 {
		last = <-numbers
		if last > mark {
			t.Errorf("the arrival %d had come when Mark said %d", last, mark)
		}
	}
	// When nothing waits, what comes next is above it: else a node would believe nothing for ever.
	token := invalidate(t, good, "later:1")
	wait(t, token, bad)
	eventually(t, "what comes later is above the mark", func() bool {
		select {
		case n := <-numbers:
			return n > mark
		default:
			return false
		}
	})
}

func closeLeavesNothingBehind(t *testing.T, w way) {
	srv := serve(t)
	admin := connect(t, srv)
	nc := connect(t, srv)
	n := w.open(t, nc)
	ready(t, n)
	if got := consumers(t, admin); w.consumer() != (got == 1) {
		t.Fatalf("%d consumers of one node", got)
	}
	for range 3 { // what is left of earlier connections is removed as well
		if err := nc.ForceReconnect(); err != nil {
			t.Fatal(err)
		}
		serves(t, n)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server has no consumer", func() bool { return consumers(t, admin) == 0 })
	if got := nc.NumSubscriptions(); got > 1 { // the client's own, for answers
		t.Errorf("%d subscriptions are left", got)
	}
}

// consumers counts those of the fleet's stream.
func consumers(t *testing.T, nc *nats.Conn) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := jets(t, nc).Stream(ctx, event.StreamName(fleet))
	if err != nil {
		t.Fatal(err)
	}
	return stream.CachedInfo().State.Consumers
}
