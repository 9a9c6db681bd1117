package bus

import (
	"strconv"
	"strings"
	"time"
)

// ackStamp reads what the server says of a message that a consumer has delivered, from the subject an ack would go to. It is
// the server's own word: it refuses publishers that give such a subject for an answer. It has two forms:
//
//	$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<delivery>.<time>.<pending>
//	$JS.ACK.<domain>.<account>.<stream>.<consumer>.<delivered>.<sequence>.<delivery>.<time>.<pending>[.…]
func ackStamp(reply, stream, consumer string) (s Stamp, ok bool) {
	rest, ok := strings.CutPrefix(reply, "$JS.ACK.")
	if !ok {
		return Stamp{}, false
	}
	f := strings.Split(rest, ".")
	switch {
	case len(f) >= 9:
		f = f[2:]
	case len(f) != 7:
		return Stamp{}, false
	}
	if f[0] != stream || f[1] != consumer {
		return Stamp{}, false
	}
	seq, err := strconv.ParseUint(f[3], 10, 64)
	at, err2 := strconv.ParseInt(f[5], 10, 64)
	if err != nil || err2 != nil || seq == 0 || at <= 0 {
		return Stamp{}, false
	}
	return Stamp{Stream: stream, Sequence: seq, Time: time.Unix(0, at).UTC()}, true
}
