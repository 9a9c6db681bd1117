package lethe

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// told is what a health says at a moment, one line each, without the time.
type told struct {
	*health
	out bytes.Buffer
}

func newTold(publishOnly bool) *told {
	d := &told{}
	d.health = newHealth(slog.New(slog.NewTextHandler(&d.out, nil)), publishOnly, time.Hour)
	return d
}

// at looks so long after the start, and returns what was said.
func (d *told) at(after time.Duration, current bool) string {
	d.out.Reset()
	d.look(time.Hour+after, seen{
		current: current, code: "tick", why: errors.New("no ticks"), cursor: 7, last: 9, age: 12 * time.Second, healed: uint64(after / time.Second),
	})
	_, text, _ := strings.Cut(d.out.String(), "event=")
	return strings.TrimSpace(text)
}

func (d *told) want(t *testing.T, after time.Duration, current bool, want string) {
	t.Helper()
	if got := d.at(after, current); got != want {
		t.Errorf("after %v it says %q, want %q", after, got, want)
	}
}

const second = time.Second

func TestANodeThatIsNotReadySaysSoEverMoreSeldom(t *testing.T) {
	t.Parallel()
	d := newTold(false)
	var at []time.Duration
	for after := time.Duration(0); after < 30*time.Minute; after += 250 * time.Millisecond {
		if d.at(after, false) != "" {
			at = append(at, after)
		}
	}
	want := []time.Duration{5, 10, 20, 40, 80, 160, 320, 620, 920, 1220, 1520}
	if len(at) != len(want) {
		t.Fatalf("said at %v", at)
	}
	for i, w := range want {
		if at[i] != w*second {
			t.Errorf("said at %v, want %v", at[i], w*second)
		}
	}
	d = newTold(false)
	d.want(t, 5*second, false, `not_ready code=tick reason="no ticks" for=5s`)
	d.want(t, 7*second, true, "ready took=7s cursor=7")
	d.want(t, 8*second, true, "")
}

func TestALeaseThatIsLostAndBackIsSaid(t *testing.T) {
	t.Parallel()
	d := newTold(false)
	d.at(0, true)
	d.want(t, 20*second, false, `lease_lost code=tick reason="no ticks" age=12s behind=2`)
	d.want(t, 24*second, false, "")
	d.want(t, 25*second, false, `not_ready code=tick reason="no ticks" for=5s`)
	d.want(t, 33*second, true, "lease_back gone_for=13s healed=13")
	d.want(t, 34*second, false, `lease_lost code=tick reason="no ticks" age=12s behind=2`)
	d.want(t, 35*second, true, "") // a lease that comes and goes
	d.want(t, 36*second, false, "")
	d.want(t, 37*second, true, "")
	d.want(t, 50*second, false, `lease_lost code=tick reason="no ticks" age=12s behind=2`)
	d.want(t, 51*second, true, "lease_back gone_for=1s healed=1")
}

func TestANodeThatOnlyPublishesHasNoLeaseToLose(t *testing.T) {
	t.Parallel()
	d := newTold(true)
	d.want(t, 0, true, "")
	d.want(t, 20*second, false, "")
	d.want(t, 25*second, false, `not_ready code=tick reason="no ticks" for=5s`)
	d.want(t, 26*second, true, "")
}

func TestNoPasswordIsLogged(t *testing.T) {
	t.Parallel()
	got := Config{URL: "nats://me:secret@a:4222, nats://token@b:4222,nats://%zz:secret"}.servers()
	if strings.Contains(got, "secret") || !strings.Contains(got, "a:4222") {
		t.Errorf("the log says %q", got)
	}
}
