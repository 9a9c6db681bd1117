package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"testing"
)

// FuzzSize: a size reads as it prints.
func FuzzSize(f *testing.F) {
	for _, s := range []string{"256MiB", "1", "9223372036854775807", "8589934592GiB", "0", "-1KiB", " 7 KiB", "1MiBKiB", "+3", "1e3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := size(42)
		if err := s.Set(text); err != nil {
			if s != 42 {
				t.Errorf("%q is refused and sets %d", text, s)
			}
			return
		}
		var again size
		if err := again.Set(s.String()); err != nil || again != s || s <= 0 {
			t.Errorf("%q is %d, printed %q, read %d (%v)", text, s, s.String(), again, err)
		}
	})
}

// FuzzArguments: the query of a call is a list of JSON values, or a refusal that names the parameter.
func FuzzArguments(f *testing.F) {
	for _, q := range []string{"args=%5B%22a%22%2C2%5D", "arg=a&arg=b", "arg=", "", "args=null", "args=[]&arg=1", "x=1", "args=[1]&args=[2]", "arg=%ff", "args=[1"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		args, err := arguments(q)
		if err != nil {
			var p *problem
			if !errors.As(err, &p) || p.Status != http.StatusBadRequest || p.Field == "" && !q.Has("") || args != nil {
				t.Errorf("%q: %v with %q", query, err, args)
			}
			return
		}
		if args == nil || len(q["arg"]) > 0 && len(args) != len(q["arg"]) {
			t.Errorf("%q: %d arguments", query, len(args))
		}
		for _, a := range args {
			if !json.Valid(a) {
				t.Errorf("%q: %q is no JSON", query, a)
			}
		}
	})
}
