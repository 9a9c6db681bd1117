package access

import (
	"fmt"
	"slices"
	"strings"
)

// Role is what a user is there for.
type Role string

// The roles.
const (
	Node      Role = "node"      // follows the stream, keeps it ticking, invalidates, answers questions
	Publisher Role = "publisher" // invalidates, and asks whether all have applied it
	Admin     Role = "admin"     // makes and mends the stream, invalidates, sees everything, removes consumers
	Watcher   Role = "watcher"   // sees the events, says nothing
	Editor    Role = "editor"    // applies, deletes and reads manifests, and asks whether all have applied it
)

// Roles lists them all.
func Roles() []Role { return []Role{Node, Publisher, Admin, Watcher, Editor} }

// ParseRole refuses what is none.
func ParseRole(text string) (Role, error) {
	if slices.Contains(Roles(), Role(text)) {
		return Role(text), nil
	}
	names := make([]string, 0, len(Roles()))
	for _, r := range Roles() {
		names = append(names, string(r))
	}
	return "", fmt.Errorf("role %q: want one of %s", text, strings.Join(names, ", "))
}

// guest says whether users of the role belong in an account of their own, away from the stream's.
func (r Role) guest() bool { return r == Publisher || r == Watcher || r == Editor }
