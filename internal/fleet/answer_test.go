package fleet

import "testing"

func TestOnlyAnInboxIsAnswered(t *testing.T) {
	t.Parallel()
	for reply, want := range map[string]bool{
		"_INBOX.abc.1": true, "web.inbox.7": true, "": false,
		"lethe.v1.log.shop.all": false, "lethe.v1.live.shop.all": false, "$JS.API.STREAM.DELETE.LETHE_SHOP": false, "$SYS.x": false,
	} {
		if got := Answerable(reply); got != want {
			t.Errorf("%q: %v", reply, got)
		}
	}
}
