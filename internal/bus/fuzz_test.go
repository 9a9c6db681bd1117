package bus

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
)

// FuzzReadStamp: whatever a publisher puts beside the server's headers, in any letter case or before the server's own value,
// the stamp says what the server said, and who tried is counted.
func FuzzReadStamp(f *testing.F) {
	f.Add("nats-sequence", "99", "Nats-Sequence", "7", "2026-01-02T03:04:05.6Z")
	f.Add("Nats-Stream", "OTHER", "NATS-TIME-STAMP", "18446744073709551615", "1970-01-01T00:00:00Z")
	f.Add("Nats-Subject", "", "X", "0", "soon")
	f.Add("ce-id", "1", "Nats-Msg-Id", "", "")
	f.Fuzz(func(t *testing.T, key, value, key2, seq, at string) {
		server := nats.Header{headerStream: {"S"}, headerSubject: {"a.b"}, headerSequence: {seq}, headerTime: {at}}
		want := ReadStamp(server)
		if want.Forged || want.Stream != "S" || want.Subject != "a.b" {
			t.Fatalf("%+v of the server's headers alone", want)
		}
		both := nats.Header{key: {value}, key2: {value, seq}}
		for k, v := range server {
			both[k] = append(both[k], v...)
		}
		got := ReadStamp(both)
		ours := func(k string) bool {
			for own := range server {
				if strings.EqualFold(k, own) {
					return true
				}
			}
			return false
		}
		if got.Forged != (ours(key) || ours(key2)) {
			t.Errorf("forged %v with %q and %q", got.Forged, key, key2)
		}
		got.Forged = false
		if got != want {
			t.Errorf("%+v, the server said %+v", got, want)
		}
		if alone := ReadStamp(nats.Header{strings.ToLower(headerSequence): {seq}, strings.ToUpper(headerStream): {"S"}}); alone.Sequence != 0 || alone.Stream != "" {
			t.Errorf("%+v of headers that no server spells so", alone)
		}
	})
}

// FuzzAckStamp: what is read is what the subject says, of this stream and consumer alone.
func FuzzAckStamp(f *testing.F) {
	for _, s := range []string{
		"$JS.ACK.S.C.1.42.7.1700000000123456789.3", "$JS.ACK.hub.HASH.S.C.1.42.7.1700000000123456789.3.random", "$JS.ACK.", "$JS.ACK.S.C.......",
		"$JS.ACK.S.D.1.42.7.1700000000123456789.3", "$JS.ACK.S.C.1.0.7.1700000000123456789.3",
	} {
		f.Add(s, "S", "C")
	}
	f.Fuzz(func(t *testing.T, reply, stream, consumer string) {
		s, ok := ackStamp(reply, stream, consumer)
		switch {
		case !ok && s != Stamp{}:
			t.Errorf("%+v of what is not read", s)
		case ok && (s.Sequence == 0 || s.Time.UnixNano() <= 0 || s.Stream != stream || s.Forged):
			t.Errorf("%q: %+v", reply, s)
		case ok && !strings.Contains(reply, "."+stream+"."+consumer+"."):
			t.Errorf("%q is read as of %q, %q", reply, stream, consumer)
		}
	})
}

// FuzzStreamInfo: an answer about the stream is either an error that says so, or something a node can judge; what is not the
// fleet's stream as it has to be is never taken for it.
func FuzzStreamInfo(f *testing.F) {
	f.Add([]byte(`{"type":"io.nats.jetstream.api.v1.stream_info_response","config":{"name":"LETHE_SHOP","subjects":["lethe.v1.log.shop.>"],
		"retention":"limits","max_msgs":-1,"max_msgs_per_subject":-1,"deny_delete":true,"deny_purge":true,"allow_direct":true,"storage":"file",
		"republish":{"src":"lethe.v1.log.shop.>","dest":"lethe.v1.live.shop.>"},"metadata":{"lethe-epoch":"e"}},
		"state":{"messages":3,"first_seq":5,"last_seq":7,"last_ts":"2026-01-02T03:04:05Z"},"created":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"error":{"code":404,"err_code":10059,"description":"stream not found"}}`))
	f.Add([]byte(`{"error":{"code":503,"err_code":10008}}`))
	f.Add([]byte(`{"state":{"first_seq":18446744073709551615,"last_seq":0}}`))
	f.Add([]byte(`{"state":{"first_seq":8,"last_seq":7,"last_ts":"2026-01-02T03:04:05Z"}}`))
	f.Add([]byte(`{"config":{"retention":7,"metadata":null}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		ask := func(context.Context, *nats.Conn, *nats.Msg) (*nats.Msg, error) { return &nats.Msg{Data: body}, nil }
		s, err := inspect(t.Context(), &nats.Conn{}, "shop", ask)
		if err != nil {
			if s.Epoch != "" || s.Last != 0 || !strings.Contains(err.Error(), event.StreamName("shop")) && !errors.Is(err, ErrNoStream) {
				t.Errorf("%+v with %v", s, err)
			}
			return
		}
		if s.First > s.Last && s.LastTime != (time.Time{}) {
			t.Errorf("an empty stream whose last message is of %v", s.LastTime)
		}
		c := s.Config
		good := len(c.Subjects) == 1 && c.Subjects[0] == event.LogSubject("shop", ">") && c.DenyDelete && c.DenyPurge && c.AllowDirect &&
			c.RePublish != nil && c.MaxMsgsPerSubject <= 0 && !c.AllowRollup && !c.AllowMsgTTL && s.Epoch != ""
		if s.Fatal() == nil && len(s.Problems) == 0 && !good {
			t.Errorf("taken for the fleet's stream: %+v", c)
		}
	})
}
