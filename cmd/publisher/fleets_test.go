package main

import "testing"

func TestOneThingIsSingular(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ got, want string }{
		{counted(0, "event"), "0 events"},
		{counted(1, "event"), "1 event"},
		{counted(2, "event"), "2 events"},
		{wouldSend(1), "--yes sends it"},
		{wouldSend(2), "--yes sends them"},
		{stillThere(1, "mail"), "1 node still registers mail: it makes it anew, and is told that it lost events"},
		{stillThere(2, "mail"), "2 nodes still register mail: they make it anew, and one is told that it lost events"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %q, want %q", tc.got, tc.want)
		}
	}
}
