package document

import (
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// json reads a part that is JSON.
func (r *reader) json() (*place, error) {
	var whole json.RawMessage
	if err := json.Unmarshal([]byte(r.text), &whole); err != nil {
		line, offset := r.line, int64(len(r.text))
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			offset = syntax.Offset
		}
		if before := r.text[:min(int(offset), len(r.text))]; before != "" {
			line += strings.Count(before[:len(before)-1], "\n")
		}
		reason := strings.TrimPrefix(err.Error(), "json: ")
		if strings.Contains(reason, "after top-level value") {
			reason += "; put a line with --- between two documents"
		}
		return nil, r.fail(line, "", "is no JSON: %s", reason)
	}
	j := jsonReader{reader: r, line: r.line, dec: json.NewDecoder(strings.NewReader(r.text))}
	j.dec.UseNumber()
	if err := j.next(); err != nil {
		return nil, err
	}
	b, err := j.value(0, func() string { return "" })
	return b.place, err
}

// jsonReader goes through the tokens of a text that is known to be JSON.
type jsonReader struct {
	*reader
	dec  *json.Decoder
	tok  json.Token
	raw  string // the token as it is written
	line int    // it stands on
}

func (j *jsonReader) next() error {
	from := j.dec.InputOffset()
	tok, err := j.dec.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return j.fail(j.line, "", "is no JSON: %v", err)
	}
	text := j.text[from:j.dec.InputOffset()]
	j.raw = strings.TrimLeft(text, " \t\r\n,:")
	j.line += strings.Count(text, "\n") // no token has a line break in it
	j.tok = tok
	return nil
}

// value reads the value that begins with the present token.
func (j *jsonReader) value(depth int, field func() string) (below, error) {
	if err := j.node(j.line, depth, field); err != nil {
		return below{}, err
	}
	at := below{j.line, &place{line: j.line}}
	switch tok := j.tok.(type) {
	case json.Delim:
		if tok == '{' {
			return at, j.object(at.place, depth, field)
		}
		return at, j.array(at.place, depth, field)
	case string:
		if halfPair(j.raw) {
			return at, j.fail(j.line, field(), "has half a surrogate pair (\\ud800 to \\udfff), which is no character")
		}
		return at, j.write(j.line, quote(tok))
	default:
		return at, j.write(j.line, j.raw)
	}
}

func (j *jsonReader) object(at *place, depth int, field func() string) error {
	at.names = []string{}
	taken := map[string]bool{}
	if err := j.write(j.line, "{"); err != nil {
		return err
	}
	for {
		if err := j.next(); err != nil {
			return err
		}
		name, ok := j.tok.(string)
		if !ok {
			return j.write(j.line, "}")
		}
		line, inner := j.line, func() string { return Member(field(), name) }
		if taken[name] {
			return j.fail(line, inner(), "is given twice")
		}
		if halfPair(j.raw) {
			return j.fail(line, inner(), "has half a surrogate pair (\\ud800 to \\udfff) in its name, which is no character")
		}
		taken[name] = true
		key := quote(name) + ":"
		if len(at.names) > 0 {
			key = "," + key
		}
		if err := j.write(line, key); err != nil {
			return err
		}
		if err := j.next(); err != nil {
			return err
		}
		b, err := j.value(depth+1, inner)
		if err != nil {
			return err
		}
		b.line = line
		at.names, at.below = append(at.names, name), append(at.below, b)
	}
}

func (j *jsonReader) array(at *place, depth int, field func() string) error {
	if err := j.write(j.line, "["); err != nil {
		return err
	}
	for {
		if err := j.next(); err != nil {
			return err
		}
		if j.tok == json.Delim(']') {
			return j.write(j.line, "]")
		}
		i := len(at.below)
		if i > 0 {
			if err := j.write(j.line, ","); err != nil {
				return err
			}
		}
		b, err := j.value(depth+1, func() string { return Item(field(), i) })
		if err != nil {
			return err
		}
		at.below = append(at.below, b)
	}
}

// halfPair says whether a JSON string has an escape of one half of a surrogate pair, which encoding/json replaces silently.
func halfPair(raw string) bool {
	for i := 0; i+1 < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		high, ok := escape(raw[i:])
		if !ok {
			i++ // the escaped character may be a backslash
			continue
		}
		i += 5
		if high < 0xd800 || high > 0xdfff {
			continue
		}
		low, ok := escape(raw[i+1:])
		if high >= 0xdc00 || !ok || low < 0xdc00 || low > 0xdfff {
			return true
		}
		i += 6
	}
	return false
}

// escape reads \uXXXX.
func escape(s string) (uint64, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return n, err == nil
}
