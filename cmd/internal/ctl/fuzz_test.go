package ctl

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// FuzzSubjectOfANode: every name is one token of its own, that no other name and not the one of all nodes has.
func FuzzSubjectOfANode(f *testing.F) {
	for _, s := range []string{"web-1", "_all", "a.b", "*", ">", "", " ", "%5Fall", "ü", "\x00", "_"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		subject := Subject("shop", Explain, name)
		head, last, _ := strings.Cut(subject, "."+Explain+".")
		if head != "lethe.v1.ctl.shop" || last == "" || strings.ContainsAny(last, ".*> \t\r\n\x00") {
			t.Fatalf("%q is asked on %q", name, subject)
		}
		if name == "" {
			return
		}
		back, err := url.PathUnescape(last)
		if err != nil || back != name || last == all {
			t.Errorf("%q is asked on %q, which is %q (%v)", name, subject, back, err)
		}
	})
}

// FuzzAnswer: what comes from a node is shown as its answer or as its problem, and nothing breaks on it.
func FuzzAnswer(f *testing.F) {
	f.Add("web", "", []byte(`{"node":"web","found":true}`))
	f.Add("web", "422 no", []byte(`{`))
	f.Add("", "", []byte(`[1]`))
	f.Add("web", "", []byte(`null`))
	f.Fuzz(func(t *testing.T, node, problem string, body []byte) {
		a := read(&nats.Msg{Header: nats.Header{nodeHeader: {node}, micro.ErrorHeader: {problem}}, Data: body})
		if a.Node != node || (a.Err == nil) != (problem == "" && json.Valid(body)) {
			t.Fatalf("%+v of %q, %q, %q", a, node, problem, body)
		}
		x := explanations([]Answer{a}, []string{node, "other"})
		if len(x.Nodes)+len(x.Problems) != 1 || !slices.Contains(x.Silent, "other") {
			t.Errorf("%+v", x)
		}
		if _, err := json.Marshal(x); err != nil {
			t.Error(err)
		}
	})
}
