package event

import (
	"encoding/json"
	"strings"
)

// An answer of a server is no event. A server sends the answers to requests with rights of its own and to whatever reply
// subject it was given: who may publish one subject of the log could otherwise have "stored as 7" said on the subject `all`,
// where what can't be understood means everything.

// answered says whether a message is such an answer: the acknowledgement of a publish, or one of the JetStream or service
// API. No event of any version looks like one.
func answered(header map[string][]string, body []byte) bool {
	for key := range header {
		if isAttribute(key) {
			return false
		}
	}
	if len(body) > MaxSize {
		return false
	}
	var a struct {
		Stream      *string         `json:"stream"`
		Seq         *uint64         `json:"seq"`
		Error       json.RawMessage `json:"error"`
		Type        string          `json:"type"`
		Specversion json.RawMessage `json:"specversion"`
	}
	if json.Unmarshal(body, &a) != nil || a.Specversion != nil {
		return false
	}
	return a.Stream != nil && (a.Seq != nil || a.Error != nil) || strings.HasPrefix(a.Type, "io.nats.")
}
