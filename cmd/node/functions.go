package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// tokenHeader carries a token: a read waits until this node has applied it, a write answers with it.
const tokenHeader = "Lethe-Token"

func (a *api) listFunctions(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"functions": a.node.Functions()})
}

func (a *api) callFunction(w http.ResponseWriter, r *http.Request) {
	f, args, err := a.call(r)
	if err != nil {
		writeError(w, err)
		return
	}
	ctx, err := a.withToken(r)
	if err != nil {
		writeError(w, err)
		return
	}
	got, err := f.lookup(ctx, args)
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, got)
}

// call is the function a request names, and its arguments.
func (a *api) call(r *http.Request) (function, []json.RawMessage, error) {
	f, ok := a.functions[r.PathValue("name")]
	if !ok {
		return nil, nil, bad(http.StatusNotFound, "name", "no function %q is memoized here: GET /v1/functions lists them", r.PathValue("name"))
	}
	args, err := arguments(r.URL.Query())
	return f, args, err
}

// arguments reads ?args=JSONARRAY, or ?arg=… once for each argument, which then is a string.
func arguments(q url.Values) ([]json.RawMessage, error) {
	for name := range q {
		if name != "args" && name != "arg" {
			return nil, bad(http.StatusBadRequest, name, "no such parameter: use args (a JSON array), or arg once for each argument")
		}
	}
	if q.Has("args") && q.Has("arg") || len(q["args"]) > 1 {
		return nil, bad(http.StatusBadRequest, "args", "give either args once, or arg once for each argument")
	}
	args := []json.RawMessage{}
	if q.Has("args") {
		if err := checkText(q.Get("args")); err != nil {
			return nil, bad(http.StatusBadRequest, "args", "%v", err)
		}
		if err := json.Unmarshal([]byte(q.Get("args")), &args); err != nil {
			return nil, bad(http.StatusBadRequest, "args", `want a JSON array like ["a",2]: %v`, err)
		}
		if args == nil { // null
			return nil, bad(http.StatusBadRequest, "args", `want a JSON array like ["a",2]`)
		}
		return args, nil
	}
	for _, text := range q["arg"] {
		if !utf8.ValidString(text) {
			return nil, bad(http.StatusBadRequest, "arg", "is not UTF-8: percent-encode the bytes of UTF-8")
		}
		raw, err := json.Marshal(text)
		if err != nil {
			return nil, bad(http.StatusBadRequest, "arg", "%v", err)
		}
		args = append(args, raw)
	}
	return args, nil
}

// checkText refuses JSON in which a string is not Unicode: encoding/json would take parts of it for U+FFFD, and the call for another.
func checkText(text string) error {
	if !utf8.ValidString(text) {
		return errors.New("is not UTF-8: percent-encode the bytes of UTF-8")
	}
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		i++
		if i >= len(text) || text[i] != 'u' {
			continue
		}
		switch first := escaped(text[i+1:]); {
		case !utf16.IsSurrogate(first):
		case len(text) > i+6 && text[i+5] == '\\' && text[i+6] == 'u' && utf16.DecodeRune(first, escaped(text[i+7:])) != unicode.ReplacementChar:
			i += 10
		default:
			return fmt.Errorf("%s is half of a surrogate pair and no character: write both halves", text[i-1:i+5])
		}
	}
	return nil
}

// escaped is the number that four hexadecimal digits at the beginning of text say, 0 where there are none.
func escaped(text string) rune {
	n, err := strconv.ParseUint(text[:min(4, len(text))], 16, 16)
	if err != nil || len(text) < 4 {
		return 0
	}
	return rune(n)
}

// withToken makes the reads of a request wait for the token it brought.
func (a *api) withToken(r *http.Request) (context.Context, error) {
	t, err := a.requestToken(r)
	if err != nil {
		return nil, err
	}
	return lethe.WithToken(r.Context(), t), nil
}

// requestToken is the token a request brought, the zero one if none.
func (a *api) requestToken(r *http.Request) (event.Token, error) {
	text := r.Header.Get(tokenHeader)
	if text == "" {
		return event.Token{}, nil
	}
	return a.parseToken(tokenHeader, text)
}

func (a *api) parseToken(field, text string) (event.Token, error) {
	t, err := event.ParseToken(text)
	if err != nil {
		return t, bad(http.StatusBadRequest, field, "%v", err)
	}
	if fleet := a.node.Status().Fleet; t.Fleet() != fleet {
		return t, bad(http.StatusBadRequest, field, "the token is of fleet %q, this node of %q", t.Fleet(), fleet)
	}
	return t, nil
}
