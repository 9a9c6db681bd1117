package document

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Member is the field of name below path: spec.model, or spec["a.b"] where name is no plain word.
func Member(path, name string) string {
	switch {
	case !word(name):
		return path + "[" + quote(name) + "]"
	case path == "":
		return name
	}
	return path + "." + name
}

// Item is an element of the list at path: spec.plugins[2].
func Item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// Step is a part of a path: a member's name, or the number of an element.
type Step struct {
	Name string
	Item int    // -1 where it is a name
	Path string // from the beginning up to here
}

// Steps takes a path apart, as far as it is one.
func Steps(path string) (all []Step) {
	for rest := path; rest != ""; {
		name, item, after, ok := cut(rest)
		if !ok {
			return all
		}
		rest = after
		all = append(all, Step{name, item, path[:len(path)-len(rest)]})
	}
	return all
}

// cut takes the first step off a path: a name, or the number of an element (name is "" then).
func cut(path string) (name string, item int, rest string, ok bool) {
	if !strings.HasPrefix(path, "[") {
		path = strings.TrimPrefix(path, ".")
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		return path[:end], -1, path[end:], end > 0
	}
	if strings.HasPrefix(path, `["`) {
		d := json.NewDecoder(strings.NewReader(path[1:]))
		if err := d.Decode(&name); err != nil {
			return "", -1, "", false
		}
		rest, ok = strings.CutPrefix(path[1+d.InputOffset():], "]")
		return name, -1, rest, ok
	}
	end := strings.IndexByte(path, ']')
	if end < 0 {
		return "", -1, "", false
	}
	item, err := strconv.Atoi(path[1:end])
	return "", item, path[end+1:], err == nil && item >= 0
}

// word is a name that needs no quotes in a path.
func word(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '$' {
			continue
		}
		return false
	}
	return s != ""
}

// quote is s as JSON, with what HTML escapes left alone.
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil { // a string always encodes
		return strconv.Quote(s)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
