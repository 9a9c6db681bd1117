package ctl

import (
	"fmt"
	"strings"

	"github.com/lethe-cache/lethe/pkg/event"
)

// What a node is asked.
const (
	Explain   = "explain"
	GetStatus = "status"
	Has       = "has"
)

// What one of the nodes with a database is asked.
const (
	Apply      = "apply"
	Delete     = "delete"
	SetStatus  = "set-status"
	Get        = "get"
	List       = "list"
	Diff       = "diff"
	Kinds      = "kinds"
	Invalidate = "invalidate"
	Ticket     = "ticket"
	Log        = "log"
)

// ManifestVerbs are the questions about manifests, those that change something first.
func ManifestVerbs() []string {
	return []string{Apply, Delete, SetStatus, Invalidate, Get, List, Diff, Kinds, Ticket, Log}
}

// KindVerbs are those of them that are about manifests of a kind. Each may be asked on a subject of its kind as well, for a user
// who may do it with that kind alone: OfKind.
func KindVerbs() []string {
	return []string{Apply, Delete, SetStatus, Invalidate, Get, List, Diff, Log}
}

// OfKind is one of KindVerbs about nothing but one kind. Its own name, in lower case, is the last token of the subject.
func OfKind(what, kind string) string { return what + "." + token(strings.ToLower(kind)) }

// anyKind is OfKind of every kind.
func anyKind(what string) string { return what + ".*" }

// all is the name every node answers to; no node has it, since names are encoded.
const all = "_all"

// Subject is where the node of that name is asked for what; an empty name is every node of the fleet.
func Subject(fleet, what, node string) string {
	if node == "" {
		return event.CtlSubject(fleet, what+"."+all)
	}
	return event.CtlSubject(fleet, what+"."+token(node))
}

// AnySubject is where one of the nodes is asked, whichever takes it.
func AnySubject(fleet, what string) string { return event.CtlSubject(fleet, what) }

// token makes one subject token of a name: letters, digits, '-' and '_' stand for themselves, but a '_' in front, which
// is not for names to use, and other bytes are percent-encoded.
func token(name string) string {
	var b strings.Builder
	for i, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' && i > 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
