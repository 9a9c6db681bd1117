package bus

import (
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Headers the server adds. Only their exact spelling is the server's, and only the last value: publishers' own survive
// beside them.
const (
	headerStream   = "Nats-Stream"
	headerSubject  = "Nats-Subject"
	headerSequence = "Nats-Sequence"
	headerTime     = "Nats-Time-Stamp"
)

// stamp is what the server says of a stored message.
type stamp struct {
	stream, subject string
	seq             uint64 // 0 = it says nothing
	time            time.Time
	forged          bool // somebody else says something of the kind as well
}

func last(h nats.Header, key string) string {
	if v := h[key]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

func readStamp(h nats.Header) stamp {
	s := stamp{stream: last(h, headerStream), subject: last(h, headerSubject), forged: forged(h)}
	seq, err := strconv.ParseUint(last(h, headerSequence), 10, 64)
	at, err2 := time.Parse(time.RFC3339Nano, last(h, headerTime))
	if err == nil && err2 == nil && s.stream != "" && s.subject != "" {
		s.seq, s.time = seq, at
	}
	return s
}

func forged(h nats.Header) bool {
	for key, values := range h {
		switch key {
		case headerStream, headerSubject, headerSequence, headerTime:
			if len(values) > 1 {
				return true
			}
		default:
			if len(key) < 5 || !strings.EqualFold(key[:5], "Nats-") {
				continue
			}
			for _, own := range [...]string{headerStream, headerSubject, headerSequence, headerTime} {
				if strings.EqualFold(key, own) {
					return true
				}
			}
		}
	}
	return false
}
