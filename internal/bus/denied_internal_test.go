package bus

import (
	"fmt"
	"testing"
)

// What is logged and counted once must not differ by what is random in it.
func TestARefusedSubjectIsNamedWithoutWhatIsRandomInIt(t *testing.T) {
	t.Parallel()
	for subject, want := range map[string]string{
		"_INBOX_web.x7Tq.*":                    "_INBOX_web.>",
		"_INBOX_web.x7Tq.1a.b":                 "_INBOX_web.>",
		"_INBOX_web-2.x7Tq.1a":                 "_INBOX_web-2.>",
		"_INBOX.x7Tq.1a":                       "_INBOX.>",
		"lethe.v1.log.shop.fn.catalog.price":   "lethe.v1.log.shop.fn.catalog.price",
		"$JS.API.STREAM.INFO.LETHE_SHOP":       "$JS.API.STREAM.INFO.LETHE_SHOP",
		"$JS.API.DIRECT.GET.LETHE_SHOP.lethe":  "$JS.API.DIRECT.GET.LETHE_SHOP.>",
		"$JS.API.CONSUMER.CREATE.LETHE_SHOP.r": "$JS.API.CONSUMER.CREATE.LETHE_SHOP.>",
		"$JS.hub.API.STREAM.INFO.LETHE_SHOP":   "$JS.hub.API.STREAM.INFO.LETHE_SHOP",
		"$JS.ACK.LETHE_SHOP.c.1.22.23.177.0":   "$JS.ACK.LETHE_SHOP.>",
		"$JS.FC.LETHE_SHOP.c.x":                "$JS.FC.LETHE_SHOP.>",
		"orders":                               "orders",
	} {
		if got := granted(subject, "_INBOX_web"); got != want {
			t.Errorf("%s is named %s, want %s", subject, got, want)
		}
	}
}

func TestASubjectIsToldOfOnceAConnection(t *testing.T) {
	t.Parallel()
	var d denials
	if !d.first(1, "a") || d.first(1, "a") || !d.first(1, "b") || !d.first(2, "a") {
		t.Error("once a subject, and anew on another connection")
	}
	for i := range 1000 {
		d.first(2, fmt.Sprint(i))
	}
	if len(d.said) != denialsMost {
		t.Errorf("%d subjects are remembered", len(d.said))
	}
}
