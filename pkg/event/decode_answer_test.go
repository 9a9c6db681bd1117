package event

import "testing"

func TestAServersAnswerIsNoEvent(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"stream":"LETHE_SHOP","seq":7}`,
		`{"stream":"LETHE_SHOP","domain":"hub","seq":7,"duplicate":true}`,
		`{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"LETHE_SHOP","seq":0}`,
		`{"type":"io.nats.jetstream.api.v1.stream_info_response","error":{"code":404}}`,
		`{"type":"io.nats.micro.v1.ping_response","name":"lethe-node","id":"x"}`,
	} {
		for _, subject := range []string{"lethe.v1.log.shop.all", "lethe.v1.live.shop.fn.catalog.price", "lethe.v1.live.shop.later.kind"} {
			r := Decode("shop", subject, nil, []byte(body))
			if len(r.Targets) != 0 || r.Rejected != RejectedAnswer || r.Widened != "" {
				t.Errorf("%s on %s: targets %v, rejected %q, widened %q", body, subject, r.Targets, r.Rejected, r.Widened)
			}
		}
	}
}

func TestWhatOnlyLooksLikeAnAnswerStillForgetsMore(t *testing.T) {
	t.Parallel()
	const all = "lethe.v1.log.shop.all"
	for _, tc := range []struct {
		name   string
		header map[string][]string
		body   string
	}{
		{"a structured event with fields of the kind", nil, `{"specversion":"2.0","id":"1","source":"/x","type":"x","stream":"s","seq":1}`},
		{"in binary mode", map[string][]string{"ce-specversion": {"9"}}, `{"stream":"s","seq":1}`},
		{"no numbers", nil, `{"stream":"s","seq":"many"}`},
		{"no stream", nil, `{"seq":1}`},
		{"two documents", nil, `{"stream":"s","seq":1}{}`},
		{"another type", nil, `{"type":"io.example","id":"1"}`},
	} {
		r := Decode("shop", all, tc.header, []byte(tc.body))
		if len(r.Targets) != 1 || r.Targets[0] != All() {
			t.Errorf("%s: targets %v, rejected %q", tc.name, r.Targets, r.Rejected)
		}
	}
}
