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

// Stamp is what the server says of a stored message.
type Stamp struct {
	Stream, Subject string    // where it is stored, and under which subject it was published
	Sequence        uint64    // 0 = the server says nothing
	Time            time.Time // when it was stored, by the server's clock
	Forged          bool      // its publisher says something of the kind as well; that is never believed
}

// ReadStamp reads what the server has put into the headers of a message that came by RePublish or Direct Get.
func ReadStamp(h nats.Header) Stamp {
	s := Stamp{Stream: last(h, headerStream), Subject: last(h, headerSubject), Forged: forged(h, 1)}
	seq, err := strconv.ParseUint(last(h, headerSequence), 10, 64)
	at, err2 := time.Parse(time.RFC3339Nano, last(h, headerTime))
	if err == nil && err2 == nil && s.Stream != "" && s.Subject != "" {
		s.Sequence, s.Time = seq, at
	}
	return s
}

func last(h nats.Header, key string) string {
	if v := h[key]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

// forged says whether h has more of the server's headers than the server itself has set of each.
func forged(h nats.Header, own int) bool {
	for key, values := range h {
		switch key {
		case headerStream, headerSubject, headerSequence, headerTime:
			if len(values) > own {
				return true
			}
		default:
			if len(key) < 5 || key[0]|0x20 != 'n' || !strings.EqualFold(key[:5], "Nats-") {
				continue
			}
			for _, name := range [...]string{headerStream, headerSubject, headerSequence, headerTime} {
				if strings.EqualFold(key, name) {
					return true
				}
			}
		}
	}
	return false
}
