package document

import (
	"strconv"
	"strings"
	"unicode/utf16"

	"go.yaml.in/yaml/v3"
)

// JSON has two escapes that the parser of YAML refuses, though YAML has taken over the first: \/ and characters beyond U+FFFF
// as a pair, like \ud83d\ude00. Whether such a text is an escape depends on the quotes it stands in, which only the parser
// knows. So the backslash is replaced, before, by a character that does not occur, and put right in each value afterwards.

// maxMarkTries bounds how many characters are tried as the mark. A text that has them all keeps its escapes, and the parser
// refuses them.
const maxMarkTries = 16

// marked is a text in which the escapes of these two kinds begin with the mark; 0 when there are none.
func marked(text string) (string, rune) {
	var (
		b    strings.Builder
		from int
		mark rune
	)
	for i := 0; i+1 < len(text); {
		if text[i] != '\\' {
			i++
			continue
		}
		size := jsonEscape(text[i:])
		if size == 0 {
			i += 2 // the character that is escaped may be a backslash
			continue
		}
		if mark == 0 {
			if mark = unused(text); mark == 0 {
				return text, 0
			}
		}
		end := i + size
		for ; i < end; i += len(`\ud83d`) {
			b.WriteString(text[from:i])
			b.WriteRune(mark)
			from = i + 1
		}
		i = end
	}
	b.WriteString(text[from:])
	return b.String(), mark
}

// jsonEscape is how long an escape is that only JSON has; 0 for another.
func jsonEscape(s string) int {
	if strings.HasPrefix(s, `\/`) {
		return len(`\/`)
	}
	if _, ok := pair(s, '\\'); ok {
		return len(`\ud83d\ude00`)
	}
	return 0
}

// pair reads two halves of a character, each an escape.
func pair(s string, backslash rune) (rune, bool) {
	high, rest, ok := half(s, backslash)
	if !ok {
		return 0, false
	}
	low, _, ok := half(rest, backslash)
	c := utf16.DecodeRune(high, low)
	return c, ok && c != '\ufffd'
}

func half(s string, backslash rune) (half rune, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, string(backslash)+"u")
	if !ok || len(s) < 4 {
		return 0, "", false
	}
	n, err := strconv.ParseUint(s[:4], 16, 16)
	return rune(n), s[4:], err == nil
}

// unused is a character for private use that a text has neither as it is nor by its number.
func unused(text string) rune {
	text = strings.ToLower(text)
	for c := rune(0xe000); c < 0xe000+maxMarkTries; c++ {
		if !strings.ContainsRune(text, c) && !strings.Contains(text, strconv.FormatInt(int64(c), 16)) {
			return c
		}
	}
	return 0
}

// unmark puts the escapes right in all values of a tree: in double quotes they are escapes, anywhere else they are text.
func (r *reader) unmark(n *yaml.Node) {
	if r.mark == 0 {
		return
	}
	if n.Kind == yaml.ScalarNode && n.Style&yaml.DoubleQuotedStyle != 0 {
		n.Value = r.unescaped(n.Value)
	}
	n.Value, n.Tag = r.unmarked(n.Value), r.unmarked(n.Tag)
	for _, below := range n.Content {
		r.unmark(below)
	}
}

func (r *reader) unescaped(s string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, string(r.mark))
		b.WriteString(before)
		if !found {
			return b.String()
		}
		if c, ok := pair(string(r.mark)+rest, r.mark); ok {
			b.WriteRune(c)
			rest = rest[len("ud83d"+string(r.mark)+"ude00"):]
		}
		s = rest // of \/ the slash
	}
}

func (r *reader) unmarked(s string) string {
	if r.mark == 0 {
		return s
	}
	return strings.ReplaceAll(s, string(r.mark), `\`)
}
