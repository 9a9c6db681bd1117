package sim

import (
	"fmt"
	"io"
	"time"
)

// trace writes down what happens. Without one nothing is formatted.
type trace struct{ out io.Writer }

func (w *world) log(n *node, format string, args ...any) {
	if w.trace == nil {
		return
	}
	who := "      "
	if n != nil {
		who = fmt.Sprintf("n%d.%-3d", n.h.i, n.life)
	}
	fmt.Fprintf(w.trace.out, "%13v %s %s\n", time.Duration(w.now), who, fmt.Sprintf(format, args...))
}
