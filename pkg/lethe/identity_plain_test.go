package lethe

import (
	"bytes"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
)

func TestPlainKeysAreWrittenAsAllOthers(t *testing.T) {
	t.Parallel()
	write := canonicalOf[string]()
	check := func(s string) {
		got, err := write(nil, s)
		want, wantErr := event.AppendCanonicalString(nil, s)
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Errorf("%q is written %q, %v, want %q, %v", s, got, err, want, wantErr)
		}
	}
	plainOnes := 0
	for length := range 20 {
		check(strings.Repeat("a", length))
		for at := range length {
			for b := range 256 {
				s := []byte(strings.Repeat("a", length))
				s[at] = byte(b)
				check(string(s))
				if plain(string(s)) {
					plainOnes++
				}
			}
		}
	}
	if plainOnes < 190*94 {
		t.Errorf("only %d were plain", plainOnes)
	}
}
