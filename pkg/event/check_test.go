package event_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
)

func TestNamesAreTakenAndRefusedAsTheContractSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		field string
		check func(string) error
		good  []string
		bad   []string
	}{
		{
			"fleet", event.CheckFleet,
			[]string{"a", "0", "shop", "shop-2", "a--b", strings.Repeat("a", 40)},
			[]string{"", "-a", "a-", "Shop", "a.b", "a_b", "ä", "a b", strings.Repeat("a", 41), "a*", ">"},
		},
		{
			"function", event.CheckFunction,
			[]string{"f", "catalog.price", "A.b.C", "a1.b_-", "a-", strings.Repeat("a", 128)},
			[]string{"", ".", "a.", ".a", "a..b", "9x", "a.9x", "_a", "-a", "a b", "a*", "a.*", "a.>", "ä", "a\n", strings.Repeat("a", 129)},
		},
		{
			"tag", event.CheckTag,
			[]string{"user:42", "user:42/orders", "a-9:x", "u: ", "u:ü", "u:a:b", "u:/", "u:42/", "u:*", "u:" + strings.Repeat("a", 512), strings.Repeat("a", 63) + ":x"},
			[]string{
				"", "user", ":x", "user:", "User:42", "9a:x", "-a:x", "u_s:x", "u.s:x", "u:\n", "u:\x7f", "u:\u0080", "u:\xff", "u:" + strings.Repeat("a", 513),
				strings.Repeat("a", 64) + ":x",
			},
		},
		{
			"tagPrefix", event.CheckPrefix,
			[]string{"user:", "user:42/", "user:a/b/", "user:/", "u:" + strings.Repeat("a", 511) + "/"},
			[]string{"", ":", "/", "user", "user:4", "user:42/a", "User:", "user/", "u:\x00/", "u:\xff/", "u:" + strings.Repeat("a", 512) + "/"},
		},
		{
			"kind", event.CheckKind,
			[]string{"A", "Chatbot", "A9b", strings.Repeat("A", 63)},
			[]string{"", "chatbot", "9A", "A-b", "A b", "Ä", strings.Repeat("A", 64)},
		},
	} {
		for _, s := range c.good {
			if err := c.check(s); err != nil {
				t.Errorf("%s %q: %v", c.field, s, err)
			}
		}
		for _, s := range c.bad {
			err := c.check(s)
			var e *event.Error
			if !errors.Is(err, event.ErrInvalid) || !errors.As(err, &e) || e.Field != c.field {
				t.Errorf("%s %q: %v", c.field, s, err)
			}
		}
	}
}

func TestSubjectsAndStreamsHaveTheContractsNames(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		event.StreamName("shop-2"):                      "LETHE_SHOP-2",
		event.LogSubject("shop", ""):                    "lethe.v1.log.shop.",
		event.LogSubject("shop", ">"):                   "lethe.v1.log.shop.>",
		event.LogSubject("shop", event.SysTick):         "lethe.v1.log.shop._sys.tick",
		event.LogSubject("shop", event.SysLost):         "lethe.v1.log.shop._sys.lost",
		event.LiveSubject("shop", ">"):                  "lethe.v1.live.shop.>",
		event.CtlSubject("shop", "barrier"):             "lethe.v1.ctl.shop.barrier",
		event.Key("catalog.price", 1).Subject():         "fn.catalog.price",
		event.Key("f", 1).Hashed().Soft().Subject():     "fn.f",
		event.Function("catalog.price").Subject():       "fn.catalog.price",
		event.Tag("user:42/orders").Subject():           "tag.user",
		event.TagPrefix("chatbot:acme/").Subject():      "tag.chatbot",
		event.All().Subject():                           "all",
		event.Tag("nonsense").Subject():                 "",
		event.Target{}.Subject():                        "",
		event.LogSubject("shop", event.All().Subject()): "lethe.v1.log.shop.all",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
