package manifest

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/lethe-cache/lethe/internal/document"
)

// maxCombinations bounds how many combinations of elements one template looks at.
const maxCombinations = 20_000

// bindings are an object and, for each list that is gone through, the element that is looked at.
type bindings struct {
	object map[string]any
	loops  []path
	at     []int // the element's number
	values []any // and itself
}

// expand calls f for every combination of elements of the lists, each of which comes after those it is in: elements of one
// list go together, of different lists each with each.
func expand(loops []path, object map[string]any, f func(bindings) error) error {
	b := bindings{object: object, loops: loops, at: make([]int, len(loops)), values: make([]any, len(loops))}
	left := maxCombinations
	return b.loop(0, &left, f)
}

func (b bindings) loop(n int, left *int, f func(bindings) error) error {
	if n == len(b.loops) {
		*left--
		if *left < 0 {
			return &Error{Field: b.field(b.loops[n-1]), Reason: fmt.Sprintf("has over %d combinations with other lists", maxCombinations)}
		}
		return f(b)
	}
	list := b.loops[n][:len(b.loops[n])-1]
	value, given, err := b.value(list)
	if err != nil || !given {
		return err
	}
	elements, ok := value.([]any)
	if !ok {
		return &Error{Field: b.field(list), Reason: "is no list, and kind says that it is one (" + b.loops[n].String() + ")"}
	}
	for i, element := range elements {
		*left--
		if *left < 0 {
			return &Error{Field: b.field(list), Reason: fmt.Sprintf("has over %d combinations with other lists", maxCombinations)}
		}
		b.at[n], b.values[n] = i, element
		if err := b.loop(n+1, left, f); err != nil {
			return err
		}
	}
	return nil
}

// value is what stands at p, the elements that are looked at put in for []. Given is false for what is missing or null.
func (b bindings) value(p path) (value any, given bool, err error) {
	value, rest := any(b.object), p
	if i, n := b.bound(p); n > 0 {
		value, rest = b.values[i], p[n:]
	}
	for i, step := range rest {
		if value == nil {
			return nil, false, nil
		}
		m, ok := value.(map[string]any)
		if !ok {
			return nil, false, &Error{Field: b.field(p[:len(p)-len(rest)+i]), Reason: "is no object, and kind says that it has " + quote(step.name)}
		}
		value = m[step.name]
	}
	return value, value != nil, nil
}

// bound is the innermost of the lists that p goes through: its number, and how many steps lead to its element.
func (b bindings) bound(p path) (loop, steps int) {
	for n := len(p); n > 0; n-- {
		if !p[n-1].each {
			continue
		}
		inner := p[:n].String()
		for i, l := range b.loops {
			if l.String() == inner {
				return i, n
			}
		}
	}
	return 0, 0
}

// text is the single value at p. Empty text counts as missing: account: with nothing behind it would be every account.
func (b bindings) text(p path) (text string, given bool, err error) {
	value, given, err := b.value(p)
	if err != nil || !given {
		return "", false, err
	}
	switch v := value.(type) {
	case string:
		return v, v != "", nil
	case json.Number:
		return v.String(), true, nil
	case bool:
		return strconv.FormatBool(v), true, nil
	}
	return "", false, &Error{Field: b.field(p), Reason: "has to be a single value (text, a number, true or false), since the kind's " + p.String() + " is made into a name"}
}

// field is p with the numbers of the elements.
func (b bindings) field(p path) string {
	var s string
	for n, step := range p {
		if !step.each {
			s = document.Member(s, step.name)
			continue
		}
		i, _ := b.bound(p[:n+1])
		if len(b.at) > i {
			s = document.Item(s, b.at[i])
		}
	}
	return s
}
