package main

import (
	"math"
	"testing"
)

// invented constants, so that the test is of the model and not of a machine.
func invented() *Constants {
	return &Constants{
		ServerEventUS: Curve{{100, 50}}, ClusterEventUS: Curve{{100, 200}}, ServerDeliveryUS: Curve{{100, 10}, {1000, 4}}, ServerUserShare: 0.4, ServerKeyUS: 0.02,
		ServerProbeUS: 100, ServerIdleUS: 100, ConnectionKB: 9, SubscriptionKB: 1, NodeIdleUS: 1000, NodeHeardUS: 50,
		NodeEventUS: Curve{{100, 60}, {1000, 20}}, NodeKeyUS: 0.5,
		EventBytes: 550, KeyBytes: 30, PresenceBytes: 250, ProbeBytes: 1200, DiskBytes: 450,
	}
}

func TestMoreTakesMore(t *testing.T) {
	t.Parallel()
	c := invented()
	base := Load{Nodes: 100, Rate: 50, Keys: 1, Servers: 1, Regions: 1}
	for name, grow := range map[string]func(*Load, float64){
		"nodes": func(l *Load, x float64) { l.Nodes = int(float64(l.Nodes) * x) },
		"rate":  func(l *Load, x float64) { l.Rate *= x },
		"keys":  func(l *Load, x float64) { l.Keys *= x },
	} {
		last := c.Predict(base)
		for _, x := range []float64{1.2, 2, 5, 20, 100} {
			in := base
			grow(&in, x)
			a := c.Predict(in)
			if a.HomeCores < last.HomeCores || a.HomeOutMBs < last.HomeOutMBs || a.NodeShare < last.NodeShare || a.DiskMBs < last.DiskMBs ||
				a.ServerMB < last.ServerMB || a.Kept > last.Kept || a.MostRate > last.MostRate {
				t.Errorf("%s x %v: %+v after %+v", name, x, a, last)
			}
			last = a
		}
	}
}

func TestUnits(t *testing.T) {
	t.Parallel()
	c := invented()
	a := c.Predict(Load{Nodes: 10, Rate: 1000, Keys: 1, Servers: 1, Regions: 1})
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 0.1*want {
			t.Errorf("%s: %v, want about %v", what, got, want)
		}
	}
	near("cores", a.HomeCores, (1000*50+1000*10*4)/1e6)
	near("MB/s out", a.HomeOutMBs, 1000*10*(550+frameBytes)/1e6)
	near("node", a.NodeShare, (1000+1000*20)/1e6)
	near("disk MB/s", a.DiskMBs, 0.45)
	near("reaches back", a.Kept, logBytes/450e3)
	near("heap MB", a.ServerMB, 10*10/1024.0)
	if quiet := c.Predict(Load{Nodes: 10, Keys: 1, Servers: 1, Regions: 1}); quiet.Kept != logSeconds {
		t.Errorf("a quiet stream reaches back %v s", quiet.Kept)
	}
}

func TestALeafNodeSavesTheWideArea(t *testing.T) {
	t.Parallel()
	a := invented().Predict(Load{Nodes: 1000, Rate: 200, Keys: 1, Servers: 3, Regions: 5})
	if a.WANMBs*50 > a.WANAloneMBs {
		t.Errorf("%v MB/s by the leaf node, %v without", a.WANMBs, a.WANAloneMBs)
	}
	if one := invented().Predict(Load{Nodes: 1000, Rate: 200, Keys: 1, Servers: 3, Regions: 1}); a.HomeCores >= one.HomeCores {
		t.Errorf("%v cores at home with regions, %v without", a.HomeCores, one.HomeCores)
	}
}

func TestBatchesAreCheaper(t *testing.T) {
	t.Parallel()
	single := invented().Predict(Load{Nodes: 100, Rate: 1000, Keys: 1, Servers: 1, Regions: 1})
	joined := invented().Predict(Load{Nodes: 100, Rate: 10, Keys: 100, Servers: 1, Regions: 1})
	if joined.HomeCores > single.HomeCores/5 || joined.NodeShare > single.NodeShare {
		t.Errorf("100 keys an event %+v, one %+v", joined, single)
	}
}

// Where events that go together are no cheaper the simulation is a queue whose mean time is known: all of a delivery end with it,
// so the mean is between that of M/D/1 and one delivery more. Where they are for nothing it is at most two deliveries.
func TestTheQueueIsThatOfTheBooks(t *testing.T) {
	t.Parallel()
	mean := func(q queue) (sum float64) {
		all := q.run(3, 200_000)
		for _, x := range all {
			sum += x / float64(len(all))
		}
		return sum
	}
	const service = 1e-3
	for _, load := range []float64{0.2, 0.5, 0.8} {
		q := queue{rate: load / service, first: service, more: service, alone: []float64{0}}
		wait := load / (2 * (1 - load)) * service
		if m := mean(q); m < 0.95*wait || m > wait/(1-load)+service {
			t.Errorf("at %v: a mean wait of %v, M/D/1 has %v", load, m, wait)
		}
		q.more = 0
		if m := mean(q); m > service {
			t.Errorf("at %v, delivered together for nothing: a mean wait of %v", load, m)
		}
	}
	if a, b := mean(queue{200, service, 5e-4, []float64{1}}), mean(queue{800, service, 5e-4, []float64{1}}); a < 1 || b < a {
		t.Errorf("latency %v at a low rate, %v at a high one", a, b)
	}
}
