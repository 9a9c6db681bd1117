package manifest

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
)

// guard calls code of a kind.
type guard struct {
	kind string
	log  *slog.Logger
}

// call makes an error of a panic: one short line, since it reaches whoever applied the manifest. The stack is logged.
func (g guard) call(name string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			text := clip(strings.Join(strings.Fields(fmt.Sprint(p)), " "))
			err = &Error{Reason: fmt.Sprintf("%s of the kind panicked: %s", name, text)}
			g.log.Error("manifest: code of a kind has panicked", "kind", g.kind, "in", name, "error", text, "stack", string(debug.Stack()))
		}
	}()
	return f()
}
