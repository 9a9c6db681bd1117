package fleet

import (
	"maps"
	"time"
)

// twinsEvery is how often a name that several living nodes bear is logged.
const twinsEvery = time.Hour

// look drops who has gone without a goodbye, and says which names several nodes bear: they take each other's presence for
// their own, and a Barrier and explain can't tell them apart.
func (f *Fleet) look() {
	now, every := f.now(), f.every()
	f.mu.Lock()
	gone, back := f.absent.look(&f.roster, now, every)
	f.roster.lapse(now, f.cfg.Horizon())
	names := f.roster.doubled(now)
	living := make([]int, len(names))
	for i, name := range names {
		living[i] = f.roster.twins(name, now)
	}
	f.mu.Unlock()
	for _, x := range gone {
		f.cfg.Logger.Warn("a node has fallen silent and has not said goodbye: it was killed, is frozen, or is cut off from the bus",
			"event", "node_gone", "name", x.Node, "version", x.Version, "silent_for", (now - x.heard).Round(time.Second))
	}
	for _, x := range back {
		f.cfg.Logger.Info("a node that was gone is back", "event", "node_back", "name", x.Node, "gone_for", (now - x.heard).Round(time.Second))
	}
	maps.DeleteFunc(f.doubled, func(_ string, at time.Duration) bool { return now-at >= twinsEvery })
	for i, name := range names {
		if _, logged := f.doubled[name]; logged || len(f.doubled) >= rosterMost {
			continue
		}
		f.doubled[name] = now
		f.cfg.Logger.Warn("several living nodes bear one name: name each by its pod or host", "event", "duplicate_name",
			"name", name, "instances", living[i])
	}
}

// Duplicates is how many other living nodes bear the name, as far as this one has heard.
func (f *Fleet) Duplicates(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return max(f.roster.twins(name, f.now())-1, 0)
}

// Doubled is how many names several living nodes bear, as far as this one has heard.
func (f *Fleet) Doubled() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.roster.doubled(f.now()))
}
