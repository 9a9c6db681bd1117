package main

import (
	"errors"
	"math"
)

// What the design itself fixes.
const (
	probeEvery = 2.5 * 7 / 8 // seconds: a quarter of MaxStaleness, less up to a quarter of that
	tickEvery  = 1.0         // seconds, where nothing else is said
	frameBytes = 60.0 + 66   // of a message: the protocol's line and the packet's headers; a busy server sends several a packet
	logBytes   = 256 << 20   // what the stream keeps
	logSeconds = 24 * 3600.0 // at the longest
)

// presenceEvery is how many seconds a node of so many waits before it tells of itself again, on average.
func presenceEvery(nodes float64) float64 { return 0.9 * min(max(nodes*0.05, 2), 60) }

// Load is what is asked about.
type Load struct {
	Nodes   int     // in all regions together
	Rate    float64 // events a second
	Keys    float64 // an event
	Servers int     // at home: 1, or 3 and more with three copies
	Regions int     // the nodes are spread over them evenly; those abroad are behind a leaf node each
}

func (in Load) valid() error {
	switch {
	case in.Nodes < 1, in.Rate < 0, in.Keys < 1, in.Servers < 1, in.Regions < 1:
		return errors.New("nodes, keys, servers and regions are at least 1, the rate is not negative")
	case in.Keys > 1000:
		return errors.New("an event names at most 1,000 keys")
	}
	return nil
}

// Answer is what the load takes.
type Answer struct {
	HomeCores   float64 // of all servers at home together
	IdleCores   float64 // of that, with no event at all
	LeafCores   float64 // of the server of one region abroad
	ServerMB    float64 // heap, of all servers at home together
	HomeOutMBs  float64 // MB/s that leave the servers at home, for nodes and regions
	WANMBs      float64 // MB/s from home to one region, by a leaf node
	WANAloneMBs float64 // the same if each node there were connected to home
	NodeShare   float64 // of one core, of each node
	NodeInKBs   float64 // KB/s to each node
	DiskMBs     float64 // MB/s stored, each copy
	Kept        float64 // seconds that the stream reaches back
	MostRate    float64 // events a second at which one core has nothing but fan-out to do: the stream's own bound
}

// At is the cost at a rate: between two points on a logarithmic scale, beyond them as at the last.
func (c Curve) At(rate float64) float64 {
	if len(c) == 0 {
		return 0
	}
	if rate <= c[0].Rate {
		return c[0].US
	}
	for i := 1; i < len(c); i++ {
		a, b := c[i-1], c[i]
		if rate <= b.Rate {
			x := math.Log(rate/a.Rate) / math.Log(b.Rate/a.Rate)
			return a.US + x*(b.US-a.US)
		}
	}
	return c[len(c)-1].US
}

// Predict is the model.
func (c *Constants) Predict(in Load) (out Answer) {
	nodes := float64(in.Nodes)
	regions := float64(in.Regions)
	there := nodes / regions // in each region
	abroad := regions - 1

	events := max(in.Rate, 1/tickEvery) // a quiet stream ticks
	further := in.Keys - 1
	presence := nodes / presenceEvery(nodes) // a second, each goes to everybody
	probes := nodes / probeEvery

	// What a server does for one connection a second, a leaf node's or a node's: the rate decides how many messages share a write.
	each := func(rate float64) float64 {
		d := c.ServerDeliveryUS.At(rate + presence)
		return (rate*(d+further*c.ServerKeyUS) + presence*d) / 1e6
	}
	event := c.ServerEventUS
	if in.Servers > 1 {
		event = c.ClusterEventUS
	}
	routes := float64(in.Servers - 1) // each gets one copy for its own nodes
	home := func(rate float64) float64 {
		return rate*event.At(rate)/1e6 + (there+abroad+routes)*each(rate) + (probes*c.ServerProbeUS+nodes*c.ServerIdleUS)/1e6
	}
	out.HomeCores = home(events)
	out.IdleCores = home(1 / tickEvery)
	if abroad > 0 {
		out.LeafCores = (there + 1) * each(events)
	}
	out.ServerMB = (there + abroad) * (c.ConnectionKB + c.SubscriptionKB) / 1024

	message := c.EventBytes + further*c.KeyBytes + frameBytes
	feed := events*message + presence*(c.PresenceBytes+frameBytes) // bytes a second on one connection
	probing := (c.ProbeBytes + 2*frameBytes) / probeEvery          // of one node
	const mega = 1e6
	out.HomeOutMBs = (feed*(there+abroad+routes) + probing*nodes) / mega
	if abroad > 0 {
		out.WANMBs = (feed + probing*there) / mega
		out.WANAloneMBs = (feed + probing) * there / mega
	}
	out.NodeInKBs = (feed + probing) / 1e3
	out.NodeShare = (c.NodeIdleUS + events*(c.NodeEventUS.At(events)+further*c.NodeKeyUS) + presence*c.NodeHeardUS) / 1e6
	stored := c.DiskBytes + further*c.KeyBytes
	out.DiskMBs = events * stored / mega
	out.Kept = min(logSeconds, logBytes/(events*stored))
	fan := (there + abroad + routes) * (c.ServerDeliveryUS.At(math.Inf(1))*c.ServerUserShare + further*c.ServerKeyUS) / 1e6
	out.MostRate = 1 / (fan + c.ServerEventUS.At(math.Inf(1))/1e6)
	return out
}
