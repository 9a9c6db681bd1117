package main

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// What is not Unicode is refused with the parameter's name, and is not taken for U+FFFD, which is another argument.
func TestArgumentsThatAreNotUnicodeAreRefused(t *testing.T) {
	t.Parallel()
	for value, ok := range map[string]bool{
		"arg=%fe": false, "arg=a&arg=%ed%a0%80": false, "arg=%ef%bf%bd": true,
		`args=["\ud800"]`: false, `args=["\udc00\ud800"]`: false, `args=["\ud800\u0041"]`: false, `args=[{"a":"\uDBFFx"}]`: false, "args=[\"%ff\"]": false,
		`args=["\ud83d\ude00"]`: true, `args=["\\ud800"]`: true, `args=["\ufffd"]`: true, `args=["\u0000"]`: true,
	} {
		q, err := url.ParseQuery(value)
		if err != nil {
			t.Fatal(err)
		}
		args, err := arguments(q)
		var p *problem
		switch name, _, _ := strings.Cut(value, "="); {
		case ok && err != nil:
			t.Errorf("%s: %v", value, err)
		case !ok && (!errors.As(err, &p) || p.Status != http.StatusBadRequest || p.Field != name):
			t.Errorf("%s: %q, %v", value, args, err)
		}
	}
}

func TestANameWithAZeroByteIsNoPath(t *testing.T) {
	t.Parallel()
	f, err := openFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.load(t.Context(), "a.txt\x00"); !errors.Is(err, errPath) {
		t.Error(err)
	}
}
