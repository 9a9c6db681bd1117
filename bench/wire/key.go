package wire

import (
	"bytes"
	"fmt"

	"github.com/lethe-cache/lethe/pkg/event"
)

// key is the number's key; it stands in every contender's message.
func key(number int) string { return fmt.Sprintf("k-%07d", number) }

// number is the number of the first key in text, or -1.
func number(text []byte) int {
	i := bytes.Index(text, []byte("k-"))
	if i < 0 || len(text) < i+9 {
		return -1
	}
	n := 0
	for _, c := range text[i+2 : i+9] {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// padded makes plain messages of size bytes.
func padded(size int) func(int) []byte {
	return func(n int) []byte { return fmt.Appendf(nil, "%-*s", size, key(n)) }
}

// target is what Lethe's event has for a key.
func target(n int) []byte {
	text, _ := event.Key(function, key(n)).MarshalJSON() // names and keys are legal
	return text
}
