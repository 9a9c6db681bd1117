package outbox

import (
	"testing"
	"time"
)

func TestWhatShowsThatADatabaseWentBack(t *testing.T) {
	t.Parallel()
	const (
		home  = "cluster=7;timeline=1;database=5;table=9"
		lapse = time.Minute
	)
	known := stamp{beat: 10, life: "2.b", at: time.Hour}
	for name, tc := range map[string]struct {
		stamp  stamp
		silent time.Duration
		own    int64  // -1: no row
		lost   string // the life of which something is lost
		home   string
		was    origins
		back   bool
	}{
		"nothing was there":                              {stamp{}, 0, -1, "", home, origins{}, false},
		"all is as it was left":                          {known, time.Second, 10, "", home, origins{home: home, life: "2.b"}, false},
		"a commit whose answer was lost":                 {known, time.Second, 11, "", home, origins{home: home, life: "2.b"}, false},
		"own row is as it was before":                    {known, time.Second, 9, "", home, origins{home: home, life: "2.b"}, true},
		"own row is older, after a long sleep":           {known, time.Hour, 3, "", home, origins{home: home, life: "2.b"}, true},
		"own row is gone":                                {known, time.Second, -1, "", home, origins{home: home, life: "2.b"}, true},
		"own row was taken away for its silence":         {known, time.Minute, -1, "", home, origins{home: home, life: "2.b"}, false},
		"a published row is gone":                        {known, time.Second, 10, "2.b", home, origins{home: home, life: "2.b"}, true},
		"a row of this life is gone, read before a beat": {known, time.Second, 4, "3.c", home, origins{home: home, life: "3.c"}, true},
		"a row of a life that is gone":                   {known, time.Second, 11, "3.c", home, origins{home: home, life: "2.b"}, true},
		"another relay has found it":                     {known, time.Second, 3, "2.b", home, origins{home: home, life: "3.c"}, false},
		"a state of before the last time":                {known, time.Second, 10, "", home, origins{home: home, life: "1.a"}, true},
		"a state of before any relay":                    {known, time.Second, -1, "", home, origins{}, true},
		"another life of the same number":                {known, time.Second, 10, "", home, origins{home: home, life: "2.x"}, true},
		"another timeline, nothing remembered":           {stamp{}, 0, -1, "", "cluster=7;timeline=2;database=5;table=9", origins{home: home, life: "2.b"}, true},
		"another table, all that this server tells":      {stamp{}, 0, -1, "", "database=5;table=10", origins{home: home, life: "2.b"}, true},
		"a server that tells less":                       {stamp{}, 0, -1, "", "database=5;table=9", origins{home: home, life: "2.b"}, false},
		"a server that tells nothing":                    {stamp{}, 0, -1, "", "", origins{home: home, life: "2.b"}, false},
		"a server that told less":                        {stamp{}, 0, -1, "", home, origins{home: "database=5;table=9", life: "2.b"}, false},
	} {
		tc.was.own, tc.was.gone = tc.own, tc.own < 0
		lost := loss{life: tc.lost}
		if tc.lost != "" {
			lost.what = lostPublished
		}
		o := tc.stamp.origin(tc.stamp.at+tc.silent, lapse, lost, tc.home, tc.was)
		if (o.back != "") != tc.back {
			t.Errorf("%s: %+v", name, o)
		}
		wantLife := o.life == tc.was.life
		if tc.back || tc.was.life == "" {
			wantLife = lifeNumber(o.life) == max(lifeNumber(tc.was.life), lifeNumber(tc.stamp.life), lifeNumber(tc.lost))+1
		}
		if !wantLife {
			t.Errorf("%s: life %q of %q", name, o.life, tc.was.life)
		}
		for part, value := range parts(tc.home) {
			if parts(o.home)[part] != value {
				t.Errorf("%s: home %q of %q", name, o.home, tc.home)
			}
		}
		if again := (&stamp{beat: tc.own + 1, life: o.life}).origin(0, lapse, loss{}, tc.home, origins{home: o.home, life: o.life, own: tc.own + 1}); again.back != "" || again.write {
			t.Errorf("%s: and again %+v", name, again)
		}
		if tc.home == "database=5;table=9" && len(parts(o.home)) != 4 {
			t.Errorf("%s: home %q", name, o.home)
		}
	}
}
