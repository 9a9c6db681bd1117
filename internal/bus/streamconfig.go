package bus

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/pkg/event"
)

// metadataEpoch is where a stream's identity stands in its metadata.
const metadataEpoch = "lethe-epoch"

// What a stream is created with. An operator may change age, bytes, replicas, storage and the duplicate window.
const (
	streamAge        = 24 * time.Hour
	streamBytes      = 256 << 20
	streamDuplicates = 2 * time.Minute
	streamMsgSize    = event.MaxSize + 16<<10 // with the server's headers
)

// newStream is the stream as it has to be. Without republish it is one whose nodes follow by a consumer.
func newStream(fleet, epoch string, republish bool) jetstream.StreamConfig {
	cfg := jetstream.StreamConfig{
		Name:        event.StreamName(fleet),
		Description: "what the fleet " + fleet + " has to forget",
		Subjects:    []string{event.LogSubject(fleet, ">")},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		Storage:     jetstream.FileStorage,
		MaxAge:      streamAge,
		MaxBytes:    streamBytes,
		MaxMsgs:     -1, MaxMsgsPerSubject: -1,
		MaxMsgSize:  streamMsgSize,
		Duplicates:  streamDuplicates,
		AllowDirect: true, DenyDelete: true, DenyPurge: true,
		Metadata: map[string]string{metadataEpoch: epoch},
	}
	if republish {
		cfg.RePublish = &jetstream.RePublish{Source: event.LogSubject(fleet, ">"), Destination: event.LiveSubject(fleet, ">")}
	}
	return cfg
}

// Problem is a field of a stream's configuration that is not as it has to be.
type Problem struct {
	Field, Is, Want string
	Fatal           bool // the fleet can't work with it; otherwise it loses exactness only if somebody makes use of it
	fix             func(*jetstream.StreamConfig)
}

func (p Problem) String() string {
	return fmt.Sprintf("%s is %s, it has to be %s", p.Field, p.Is, p.Want)
}

// problems compares what is with what has to be. Those without a fix can't be changed on an existing stream.
func problems(is jetstream.StreamConfig, fleet string) []Problem {
	want := newStream(fleet, "", true)
	var found []Problem
	need := func(ok bool, p Problem) {
		if !ok {
			found = append(found, p)
		}
	}
	need(slices.Equal(is.Subjects, want.Subjects), Problem{
		Field: "subjects", Is: fmt.Sprint(is.Subjects), Want: fmt.Sprint(want.Subjects), Fatal: true,
		fix: func(c *jetstream.StreamConfig) { c.Subjects = want.Subjects },
	})
	rp := is.RePublish
	need(rp != nil && *rp == *want.RePublish, Problem{
		Field: fieldRepublish, Is: republishText(rp), Want: republishText(want.RePublish) + " (or let every node follow by an ordered consumer)", Fatal: true,
		fix: func(c *jetstream.StreamConfig) { c.RePublish = want.RePublish },
	})
	need(is.Metadata[metadataEpoch] != "", Problem{
		Field: "metadata." + metadataEpoch, Is: "missing", Want: "a random name of this stream", Fatal: true,
		fix: func(c *jetstream.StreamConfig) {
			c.Metadata = maps.Clone(c.Metadata)
			if c.Metadata == nil {
				c.Metadata = make(map[string]string)
			}
			c.Metadata[metadataEpoch] = newEpoch()
		},
	})
	flag := func(field string, is, want, fatal bool, set func(*jetstream.StreamConfig, bool)) {
		p := Problem{Field: field, Is: strconv.FormatBool(is), Want: strconv.FormatBool(want), Fatal: fatal}
		if set != nil {
			p.fix = func(c *jetstream.StreamConfig) { set(c, want) }
		}
		need(is == want, p)
	}
	flag("allow_direct", is.AllowDirect, true, true, func(c *jetstream.StreamConfig, v bool) { c.AllowDirect = v })
	flag("deny_delete", is.DenyDelete, true, false, func(c *jetstream.StreamConfig, v bool) { c.DenyDelete = v })
	flag("deny_purge", is.DenyPurge, true, false, func(c *jetstream.StreamConfig, v bool) { c.DenyPurge = v })
	flag("allow_rollup_hdrs", is.AllowRollup, false, true, func(c *jetstream.StreamConfig, v bool) { c.AllowRollup = v })
	flag("allow_msg_ttl", is.AllowMsgTTL, false, true, nil)
	flag("no_ack", is.NoAck, false, true, func(c *jetstream.StreamConfig, v bool) { c.NoAck = v })
	flag("sealed", is.Sealed, false, true, nil)
	flag("mirror", is.Mirror != nil, false, true, nil)
	flag("sources", len(is.Sources) > 0, false, true, nil)
	flag("subject_transform", is.SubjectTransform != nil, false, true, nil)
	need(is.Retention == jetstream.LimitsPolicy, Problem{Field: "retention", Is: is.Retention.String(), Want: "Limits", Fatal: true})
	need(is.Discard == jetstream.DiscardOld, Problem{
		Field: "discard", Is: is.Discard.String(), Want: "DiscardOld", Fatal: true,
		fix: func(c *jetstream.StreamConfig) { c.Discard, c.DiscardNewPerSubject = jetstream.DiscardOld, false },
	})
	need(is.MaxMsgsPerSubject <= 0, Problem{
		Field: "max_msgs_per_subject", Is: strconv.FormatInt(is.MaxMsgsPerSubject, 10), Want: "-1", Fatal: true,
		fix: func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = -1 },
	})
	need(is.MaxMsgSize <= 0 || is.MaxMsgSize >= streamMsgSize, Problem{
		Field: "max_msg_size", Is: strconv.Itoa(int(is.MaxMsgSize)), Want: fmt.Sprintf("-1 or at least %d", streamMsgSize),
		fix: func(c *jetstream.StreamConfig) { c.MaxMsgSize = streamMsgSize },
	})
	return found
}

// fieldRepublish is the one field that not all need.
const fieldRepublish = "republish"

// silent is s for those who follow by consumers, or nothing: it need not republish. One that does is as good.
func (s StreamInfo) silent() StreamInfo {
	s.Problems = slices.DeleteFunc(slices.Clone(s.Problems), func(p Problem) bool { return p.Field == fieldRepublish })
	return s
}

// republish says whether this bus follows what the stream republishes.
func (c *Config) republish() bool { return !c.Consumer && !c.PublishOnly }

func republishText(r *jetstream.RePublish) string {
	if r == nil {
		return "missing"
	}
	text := r.Source + " to " + r.Destination
	if r.HeadersOnly {
		text += ", headers only"
	}
	return text
}
