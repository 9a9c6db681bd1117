package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

// Where the constants are measured: two sizes of a fleet, a slow, a fast and a crowded stream.
const (
	few, more  = 4, 32
	slow, fast = 100.0, 1000.0
	rush       = 4000.0 // of the smaller fleet alone: of the larger it fills a small machine
	batch      = 100    // keys an event
	span       = 4 * time.Second
)

// calibrate measures the constants and writes them to file.
func calibrate(ctx context.Context, w io.Writer, file string) error {
	if file == "" {
		file = "capacity/constants.json"
	}
	var c Constants
	c.Machine = fmt.Sprintf("%s/%s, %d processors, %s, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format(time.DateOnly))
	if err := c.memory(ctx); err != nil {
		return err
	}
	small, err := series(ctx, w, 1, few)
	if err != nil {
		return err
	}
	large, err := series(ctx, w, 1, more)
	if err != nil {
		return err
	}
	cluster, err := series(ctx, w, 3, more)
	if err != nil {
		return err
	}
	c.fit(small, large, cluster)
	data, err := json.MarshalIndent(c, "", "\t")
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s\n", data)
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

// runs are the measurements of one rig.
type runs struct {
	nodes                         float64
	idle, slow, fast, rush, batch use
}

func series(ctx context.Context, w io.Writer, servers, nodes int) (m runs, err error) {
	r, err := open(ctx, servers, nodes, false)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	m.nodes = float64(nodes)
	if _, err := r.measure(ctx, fast, 1, span/4); err != nil { // warms up
		return m, err
	}
	for _, run := range []struct {
		of   *use
		rate float64
		keys int
	}{{&m.idle, 0, 1}, {&m.slow, slow, 1}, {&m.fast, fast, 1}, {&m.rush, rush, 1}, {&m.batch, slow, batch}} {
		if run.rate == rush && nodes > few {
			continue
		}
		d := span
		switch run.rate {
		case 0:
			d *= 2 // little happens in it
		case rush:
			d /= 2
		}
		if *run.of, err = r.measure(ctx, run.rate, run.keys, d); err != nil {
			return m, err
		}
		u := *run.of
		fmt.Fprintf(w, "%d server(s), %d nodes, %.0f events/s of %d keys: server %.3f cores, node %.4f cores\n", servers, nodes, u.events/u.span.Seconds(), run.keys,
			u.server.Seconds()/u.span.Seconds(), u.node.Seconds()/u.span.Seconds()/float64(nodes))
	}
	return m, nil
}

// over is what u took more than an idle rig takes in the same time, in microseconds an event.
func (u use) over(idle use) (server, user, node float64) {
	x := float64(u.span) / float64(idle.span)
	us := func(d, i time.Duration) float64 { return (float64(d) - x*float64(i)) / 1e3 / u.events }
	return us(u.server, idle.server), us(u.user, idle.user), us(u.node, idle.node)
}

// fit solves for the constants: two sizes give what an event costs by itself and what for each node.
func (c *Constants) fit(small, large, cluster runs) {
	n := large.nodes - small.nodes
	pair := func(a, b use) (event, delivery, user, node float64) {
		as, au, _ := a.over(small.idle)
		bs, bu, bn := b.over(large.idle)
		delivery = max((bs-as)/n, 0.05)
		return max(as-small.nodes*delivery, 0), delivery, max(bu-au, 0) / n, bn / large.nodes
	}
	event, quiet, _, nodeQuiet := pair(small.slow, large.slow)
	all, _, _ := cluster.slow.over(cluster.idle)
	c.ServerEventUS, c.ServerDeliveryUS, c.NodeEventUS = Curve{{slow, event}}, Curve{{slow, quiet}}, Curve{{slow, nodeQuiet}}
	c.ClusterEventUS = Curve{{slow, max(all-(cluster.nodes+2)*quiet, event)}}
	rate := large.fast.events / large.fast.span.Seconds()
	event, busy, user, nodeBusy := pair(small.fast, large.fast)
	all, _, _ = cluster.fast.over(cluster.idle)
	c.ServerEventUS = append(c.ServerEventUS, Point{rate, event})
	c.ClusterEventUS = append(c.ClusterEventUS, Point{rate, max(all-(cluster.nodes+2)*busy, event)})
	c.ServerDeliveryUS = append(c.ServerDeliveryUS, Point{rate, busy})
	c.NodeEventUS = append(c.NodeEventUS, Point{rate, nodeBusy})
	c.ServerUserShare = min(user/busy, 1)
	all, _, _ = small.rush.over(small.idle)
	c.ServerEventUS = append(c.ServerEventUS, Point{small.rush.events / small.rush.span.Seconds(), max(all-small.nodes*busy, 0)})
	_, wide, _, nodeWide := pair(small.batch, large.batch)
	c.ServerKeyUS = max(wide-quiet, 0) / (batch - 1)
	c.NodeKeyUS = max(nodeWide-nodeQuiet, 0) / (batch - 1)

	// An idle fleet: ticks, everybody's presence to everybody, probes.
	perSecond := func(r runs, d time.Duration) float64 { return d.Seconds() * 1e6 / r.idle.span.Seconds() }
	said := func(r runs) float64 { return r.nodes / presenceEvery(r.nodes) }
	idle := perSecond(large, large.idle.server) - (event + large.nodes*quiet) - large.nodes*said(large)*quiet
	c.ServerIdleUS = max(idle/large.nodes-c.ServerProbeUS/probeEvery, 0)
	a, b := perSecond(small, small.idle.node)/small.nodes, perSecond(large, large.idle.node)/large.nodes
	c.NodeHeardUS = max(b-a, 0) / (said(large) - said(small))
	c.NodeIdleUS = max(a-said(small)*c.NodeHeardUS, 0)

	size := func(r runs, u use) float64 {
		return (u.outBytes - r.idle.outBytes*float64(u.span)/float64(r.idle.span)) / u.events / r.nodes
	}
	c.EventBytes = size(large, large.slow)
	c.KeyBytes = (size(large, large.batch) - c.EventBytes) / (batch - 1)
	c.DiskBytes = large.slow.stored / large.slow.messages
}
