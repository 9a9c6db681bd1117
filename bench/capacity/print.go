package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
)

// Print writes one answer for people.
func Print(w io.Writer, in Load, a Answer) {
	fmt.Fprintf(w, "%d nodes, %s events/s of %s keys, %d server(s), %d region(s)\n\n", in.Nodes, short(in.Rate), short(in.Keys), in.Servers, in.Regions)
	line := func(what, unit string, x float64) { fmt.Fprintf(w, "  %-46s %8s %s\n", what, short(x), unit) }
	line("servers at home: cores", "", a.HomeCores)
	line("  of that with no event at all", "", a.IdleCores)
	line("  heap of connections", "MB", a.ServerMB)
	line("  network out", "MB/s", a.HomeOutMBs)
	line("  disk, each copy", "MB/s", a.DiskMBs)
	line("  the most events a second of one stream, about", "", a.MostRate)
	fmt.Fprintf(w, "  %-46s %8v\n", "the stream reaches back", time.Duration(a.Kept*float64(time.Second)).Round(time.Second))
	if in.Regions > 1 {
		line("a region's leaf node: cores", "", a.LeafCores)
		line("  network from home to it", "MB/s", a.WANMBs)
		line("  the same without a leaf node", "MB/s", a.WANAloneMBs)
	}
	line("a node: share of one core", "%", 100*a.NodeShare)
	line("  network in", "KB/s", a.NodeInKBs)
	if verdict := a.verdict(in); verdict != "" {
		fmt.Fprintf(w, "\n  %s\n", verdict)
	}
}

// verdict names the first bound that the load is over.
func (a Answer) verdict(in Load) string {
	switch {
	case in.Nodes > 8192:
		return "over 8,192 nodes no roster holds the fleet: split it"
	case in.Rate > 0.7*a.MostRate:
		return "fan-out of one stream: batch keys, put nodes behind leaf nodes, or split the fleet"
	case a.HomeCores > 16:
		return "server cores: put nodes behind leaf nodes, or split the fleet"
	case a.HomeOutMBs > 1000:
		return "network of the servers: put nodes behind leaf nodes"
	case a.Kept < 60:
		return "the stream reaches back less than a minute: raise its max_bytes"
	}
	return ""
}

// Table writes the sizes of docs/capacity.md: one server, callers that invalidate single keys, and the same keys 100 an event.
func Table(w io.Writer, c *Constants) {
	fmt.Fprintln(w, "| nodes | keys/s | an event | server cores | server out MB/s | each node % of a core | each node in KB/s | stream reaches back | limit |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|")
	for _, nodes := range []int{10, 100, 1000, 10_000} {
		for _, rate := range []float64{100, 1000, 10_000} {
			for _, keys := range []float64{1, 100} {
				in := Load{Nodes: nodes, Rate: rate / keys, Keys: keys, Servers: 1, Regions: 1}
				a := c.Predict(in)
				kept := time.Duration(a.Kept * float64(time.Second)).Round(time.Second)
				if kept > time.Hour {
					kept = kept.Round(time.Minute)
				}
				limit := a.verdict(in)
				if limit == "" {
					limit = "fits"
				}
				fmt.Fprintf(w, "| %d | %s | %s | %s | %s | %s | %s | %v | %s |\n", nodes, short(rate), short(keys), short(a.HomeCores), short(a.HomeOutMBs),
					short(100*a.NodeShare), short(a.NodeInKBs), kept, limit)
			}
		}
	}
}

// short has two or three digits that count.
func short(x float64) string {
	switch {
	case x == 0 || math.IsNaN(x) || math.IsInf(x, 0):
		return strconv.FormatFloat(x, 'f', -1, 64)
	case math.Abs(x) >= 10:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case math.Abs(x) >= 1:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'g', 2, 64)
}
