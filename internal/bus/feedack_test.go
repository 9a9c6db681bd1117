package bus

import (
	"testing"
	"time"
)

func TestAnAckSubjectIsReadInAllItsForms(t *testing.T) {
	t.Parallel()
	at := time.Unix(0, 1700000000123456789).UTC()
	for _, reply := range []string{
		"$JS.ACK.S.C.1.42.7.1700000000123456789.3",
		"$JS.ACK._.HASH.S.C.1.42.7.1700000000123456789.3",
		"$JS.ACK.hub.HASH.S.C.1.42.7.1700000000123456789.3.random",
		"$JS.ACK.hub.HASH.S.C.1.42.7.1700000000123456789.3.random.more",
	} {
		s, ok := ackStamp(reply, "S", "C")
		if !ok || s.Sequence != 42 || !s.Time.Equal(at) || s.Stream != "S" {
			t.Errorf("%s: %+v, %v", reply, s, ok)
		}
	}
	for _, reply := range []string{
		"", "$JS.ACK.", "$JS.ACK.S.C", "$JS.ACK.S.C.1.42.7.1700000000123456789", "$JS.ACK.S.C.1.x.7.1700000000123456789.3",
		"$JS.ACK.S.C.1.42.7.x.3", "$JS.ACK.T.C.1.42.7.1700000000123456789.3", "$JS.ACK.S.D.1.42.7.1700000000123456789.3",
		"$JS.FC.S.C.1.42.7.1700000000123456789.3", "$JS.ACK._.HASH.T.C.1.42.7.1700000000123456789.3",
		"$JS.ACK.S.C.1.-42.7.1700000000123456789.3", "$JS.ACK.S.C.1.0.7.1700000000123456789.3",
		"$JS.ACK.S.C.1.42.7.1700000000123456789.3.extra",
	} {
		if s, ok := ackStamp(reply, "S", "C"); ok {
			t.Errorf("%s is read as %+v", reply, s)
		}
	}
}
