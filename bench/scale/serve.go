package scale

import (
	"context"

	"github.com/lethe-cache/lethe/bench/scale/proc"
)

func serveCrowd(ctx context.Context, c *crowd) error { return proc.Serve(ctx, c.do) }
