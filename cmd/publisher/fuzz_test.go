package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/pkg/event"
)

// FuzzTargets: words are targets that can be published, or a usage error that says why; never something else than was said.
func FuzzTargets(f *testing.F) {
	for _, s := range []string{"catalog.price", "catalog.price\nsku-42", "tag/user:42\nprefix/user:", "tag/", "prefix/user:4", "f\n\n", "tag/user:1\nall", "/", "9"} {
		f.Add(s, "", false)
	}
	f.Add("f", `["a",12345678901234567890,{"b":1,"a":[]}]`, false)
	f.Add("f", `null`, false)
	f.Add("f", `[] []`, false)
	f.Add("", "", true)
	f.Fuzz(func(t *testing.T, words, jsonArgs string, all bool) {
		var args []string
		if words != "" {
			args = strings.Split(words, "\n")
		}
		list, err := targets(args, jsonArgs, all)
		if err != nil {
			if cli.Code(err) != cli.CodeUsage {
				t.Errorf("%q: exit %d: %v", args, cli.Code(err), err)
			}
			return
		}
		if len(list) == 0 {
			t.Errorf("%q: no target and no error", args)
		}
		for _, target := range list {
			if target.Err() != nil || target.Subject() == "" {
				t.Errorf("%q: %v", args, target)
			}
		}
		if all && (len(list) != 1 || list[0] != event.All()) {
			t.Errorf("--all is %v", list)
		}
		if jsonArgs != "" {
			var said, sent any
			if err := json.Unmarshal([]byte(jsonArgs), &said); err != nil {
				t.Fatalf("%q is taken, and is no JSON: %v", jsonArgs, err)
			}
			if err := json.Unmarshal(list[0].Args(), &sent); err != nil || !reflect.DeepEqual(said, sent) {
				t.Errorf("%s became %s (%v)", jsonArgs, list[0].Args(), err)
			}
		}
	})
}
