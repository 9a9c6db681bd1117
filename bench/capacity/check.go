package main

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// check compares what the model says with what rigs of other sizes than those it was calibrated with use.
func check(ctx context.Context, w io.Writer, c *Constants) error {
	fmt.Fprintf(w, "| nodes | events/s | keys an event | server cores: predicted / measured = | a node's share of a core: predicted / measured = | server out MB/s: predicted / measured = |\n|---|---|---|---|---|---|\n")
	for _, nodes := range []int{10, 50, 100} {
		if err := checkSize(ctx, w, c, nodes); err != nil {
			return err
		}
	}
	return nil
}

func checkSize(ctx context.Context, w io.Writer, c *Constants, nodes int) (err error) {
	r, err := open(ctx, 1, nodes, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	for _, load := range []struct {
		rate float64
		keys int
	}{{0, 1}, {50, 1}, {300, 1}, {600, 1}, {100, 50}} {
		u, err := r.measure(ctx, load.rate, load.keys, span)
		if err != nil {
			return err
		}
		seconds := u.span.Seconds()
		in := Load{Nodes: nodes, Rate: u.events / seconds, Keys: float64(load.keys), Servers: 1, Regions: 1}
		a := c.Predict(in)
		// The server counts headers and bodies, not frames.
		out := a.HomeOutMBs - frameBytes*(max(in.Rate, 1)+float64(nodes)/presenceEvery(float64(nodes))+2/probeEvery)*float64(nodes)/1e6
		ratio := func(predicted, measured float64) string {
			return fmt.Sprintf("%s / %s = %.2f", short(predicted), short(measured), predicted/measured)
		}
		fmt.Fprintf(w, "| %d | %.0f | %d | %s | %s | %s |\n", nodes, in.Rate, load.keys, ratio(a.HomeCores, u.server.Seconds()/seconds),
			ratio(a.NodeShare, u.node.Seconds()/seconds/float64(nodes)), ratio(out, u.outBytes/seconds/1e6))
	}
	return nil
}
