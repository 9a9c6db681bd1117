package whole

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// commit is all that has one version.
type commit struct {
	version int64
	rows    map[string]Row
	call    *Call
}

// stay is how long an object was as it was: from a version up to the next.
type stay struct {
	from, to int64
	spec     string
	gone     bool
}

type judge struct {
	calls   map[string]*Call
	commits []*commit
	stays   map[string][]stay // in order
	of      map[*Call]*commit
	found   []string
}

// Judge returns what is wrong with a history; nothing when all is well. Rows of an object come in the order in which they were stored, those of others
// in any. Objects that no call names are passed over.
func Judge(rows []Row, calls []Call, said []Said) []string {
	j := &judge{calls: map[string]*Call{}, stays: map[string][]stay{}, of: map[*Call]*commit{}}
	for i := range calls {
		j.calls[calls[i].ID] = &calls[i]
	}
	j.collect(j.numbered(rows, said), said)
	j.play()
	for i := range calls {
		j.answered(&calls[i])
	}
	j.ordered(calls)
	return j.found
}

func (j *judge) wrong(rule, format string, args ...any) {
	j.found = append(j.found, rule+": "+fmt.Sprintf(format, args...))
}

// numbered gives the rows of deletes their versions, which stand in the stream alone, and checks that versions rise.
func (j *judge) numbered(rows []Row, said []Said) []Row {
	gone := map[string][]int64{} // versions, once each
	last := map[string]int64{}
	for _, s := range said {
		if s.Gone && !slices.Contains(gone[s.Object], s.Version) {
			gone[s.Object] = append(gone[s.Object], s.Version)
		}
		// A repetition is none of a version that has not been said.
		last[s.Object] = max(last[s.Object], s.Version)
	}
	for _, versions := range gone {
		slices.Sort(versions)
	}
	var all []Row
	at := map[string]int64{}
	for _, r := range rows {
		if r.Gone {
			versions := gone[r.Object]
			if len(versions) == 0 {
				j.wrong("announced", "%s was deleted after version %d, and the stream does not say so", r.Object, at[r.Object])
				continue
			}
			r.Version, gone[r.Object] = versions[0], versions[1:]
		}
		if r.Version <= at[r.Object] {
			j.wrong("order", "%s was stored at version %d after version %d", r.Object, r.Version, at[r.Object])
		}
		at[r.Object] = r.Version
		all = append(all, r)
	}
	for object, versions := range gone {
		for _, v := range versions {
			j.wrong("announced", "the stream says that %s was deleted at version %d, which it was not", object, v)
		}
	}
	return all
}

// collect makes commits of rows, and finds out whose they are.
func (j *judge) collect(rows []Row, said []Said) {
	by := map[int64]*commit{}
	for _, r := range rows {
		c := by[r.Version]
		if c == nil {
			c = &commit{version: r.Version, rows: map[string]Row{}}
			by[r.Version] = c
			j.commits = append(j.commits, c)
		}
		c.rows[r.Object] = r
	}
	slices.SortFunc(j.commits, func(a, b *commit) int { return cmp.Compare(a.version, b.version) })
	heard := map[string]bool{}
	last := map[string]int64{}
	for _, s := range said {
		key := fmt.Sprint(s.Object, " ", s.Version)
		c := by[s.Version]
		if c == nil || !has(c, s) {
			if !s.Gone { // those are told of already
				j.wrong("announced", "the stream says that %s is at version %d, which was never stored", s.Object, s.Version)
			}
			continue
		}
		if !heard[key] && s.Version < last[s.Object] {
			j.wrong("announced", "version %d of %s stands in the stream behind version %d", s.Version, s.Object, last[s.Object])
		}
		heard[key], last[s.Object] = true, max(last[s.Object], s.Version)
		call := j.calls[s.Call]
		switch {
		case call == nil || call.Look:
			j.wrong("announced", "version %d of %s is announced for the call %q, which there was not", s.Version, s.Object, s.Call)
		case c.call != nil && c.call != call:
			j.wrong("whole", "version %d is of the calls %s and %s", s.Version, c.call.ID, call.ID)
		case j.of[call] != nil && j.of[call] != c:
			j.wrong("whole", "the call %s has the versions %d and %d", call.ID, j.of[call].version, s.Version)
		default:
			c.call, j.of[call] = call, c
		}
	}
	for _, c := range j.commits {
		for object := range c.rows {
			if !heard[fmt.Sprint(object, " ", c.version)] {
				j.wrong("announced", "version %d of %s was stored and does not stand in the stream", c.version, object)
			}
		}
	}
}

func has(c *commit, s Said) bool {
	r, ok := c.rows[s.Object]
	return ok && r.Gone == s.Gone
}

// play does the commits one after the other.
func (j *judge) play() {
	for _, c := range j.commits {
		if c.call != nil {
			j.fits(c)
		}
		for object, r := range c.rows {
			s := j.stays[object]
			if len(s) == 0 {
				s = append(s, stay{from: 0, gone: true})
			}
			s[len(s)-1].to = c.version
			j.stays[object] = append(s, stay{c.version, math.MaxInt64, r.Spec, r.Gone})
		}
	}
}

// now is how an object stands.
func (j *judge) now(object string) stay {
	s := j.stays[object]
	if len(s) == 0 {
		return stay{0, math.MaxInt64, "", true}
	}
	return s[len(s)-1]
}

// fits compares a commit with its call, before it is played.
func (j *judge) fits(c *commit) {
	named := map[string]bool{}
	for _, d := range c.call.Docs {
		named[d.Object] = true
		was := j.now(d.Object)
		r, written := c.rows[d.Object]
		switch {
		case written && (r.Gone != d.Gone || d.Spec != "" && r.Spec != d.Spec):
			j.wrong("whole", "version %d of %s is %s, and its call %s wants %s", c.version, d.Object, r.Spec, c.call.ID, d.Spec)
		case !written && (was.gone || was.spec != d.Spec && d.Spec != ""):
			j.wrong("whole", "version %d, of the call %s, leaves %s at version %d with %s; the call wants %s", c.version, c.call.ID, d.Object, was.from, was.spec, d.Spec)
		}
		if d.Guard != 0 && (was.gone || was.from != d.Guard) {
			j.wrong("guard", "version %d, of the call %s, wants %s at version %d, and it stood at %d", c.version, c.call.ID, d.Object, d.Guard, was.from)
		}
	}
	for object := range c.rows {
		if !named[object] {
			j.wrong("whole", "version %d changes %s, which its call %s does not name", c.version, object, c.call.ID)
		}
	}
}

// answered compares what a caller was told with what is stored.
func (j *judge) answered(c *Call) {
	stored := j.of[c]
	switch {
	case c.Outcome == Refused && stored != nil:
		j.wrong("lost", "the call %s was refused, and is stored as version %d", c.ID, stored.version)
	case c.Outcome != Done:
	case c.Look:
		j.moment(c)
	case !slices.ContainsFunc(c.Docs, func(d Doc) bool { return d.Changed }):
		if stored != nil {
			j.wrong("lost", "the call %s was told that nothing changed, and is stored as version %d", c.ID, stored.version)
		}
		j.moment(c)
	case stored == nil:
		j.wrong("lost", "the call %s was told that it is done, and is not stored", c.ID)
	default:
		for _, d := range c.Docs {
			if _, written := stored.rows[d.Object]; written != d.Changed {
				j.wrong("lost", "the call %s was told changed=%t of %s, and version %d says the contrary", c.ID, d.Changed, d.Object, stored.version)
			}
		}
	}
}

// moment looks for one at which all documents stood as a call saw them, and not one that was over when it began. Versions of objects that have nothing to
// do with each other may be stored in another order than that of their numbers. So the commits that the call saw may not depend on one that it did not see: by
// an object that both name, by the calls' times, or through others.
func (j *judge) moment(c *Call) {
	saw := map[string]int64{} // versions, up to which the writers of an object were seen
	for _, d := range c.Docs {
		s, sure, ok := j.standing(d)
		if !ok {
			j.wrong("moment", "the call %s saw %s at version %d as %s (gone %t), which it never was", c.ID, d.Object, d.Version, d.Spec, d.Gone)
			return
		}
		if sure {
			saw[d.Object] = s.from
		}
	}
	unseen := dependents{writes: map[string]bool{}, reads: map[string]bool{}, ended: math.MaxInt64}
	for _, other := range j.commits {
		seen, missed := false, false
		for object := range other.rows {
			if up, ok := saw[object]; ok && other.version <= up {
				seen = true
			} else if ok {
				missed = true
			}
		}
		switch {
		case missed && other.call != nil && other.call.Outcome == Done && other.call.End < c.Begin:
			j.wrong("moment", "the call %s did not see version %d, of the call %s that had ended", c.ID, other.version, other.call.ID)
			return
		case seen && (missed || unseen.has(other)):
			j.wrong("moment", "what the call %s saw never stood at one moment: it saw version %d, and not all that this is made of, or on top of", c.ID, other.version)
			return
		case missed || unseen.has(other):
			unseen.add(other)
		}
	}
}

// dependents are what depends on commits, by what these write and read and by when the first of their calls ended.
type dependents struct {
	writes, reads map[string]bool
	ended         int64
}

func (d *dependents) has(c *commit) bool {
	for object := range c.rows {
		if d.writes[object] || d.reads[object] {
			return true
		}
	}
	if c.call == nil {
		return false
	}
	for _, doc := range c.call.Docs {
		if d.writes[doc.Object] {
			return true
		}
	}
	return c.call.Begin > d.ended
}

func (d *dependents) add(c *commit) {
	for object := range c.rows {
		d.writes[object] = true
	}
	if c.call == nil {
		return
	}
	for _, doc := range c.call.Docs {
		d.reads[doc.Object] = true
	}
	if c.call.Outcome == Done {
		d.ended = min(d.ended, c.call.End)
	}
}

// standing is the time in which an object was as a document says; not sure where it was away, and had been away before.
func (j *judge) standing(d Doc) (s stay, sure, ok bool) {
	all := j.stays[d.Object]
	if len(all) == 0 {
		all = []stay{{0, math.MaxInt64, "", true}}
	}
	for _, one := range all {
		if d.Gone && one.gone || !d.Gone && !one.gone && one.from == d.Version && (d.Spec == "" || d.Spec == one.spec) {
			sure, s, ok = !ok, one, true
		}
	}
	return s, sure, ok
}

// ordered compares the order of calls on an object with that of their versions.
func (j *judge) ordered(calls []Call) {
	by := map[string][]*commit{}
	for i := range calls {
		if c := j.of[&calls[i]]; c != nil {
			for object := range c.rows {
				by[object] = append(by[object], c)
			}
		}
	}
	for object, all := range by {
		slices.SortFunc(all, func(a, b *commit) int { return cmp.Compare(a.version, b.version) })
		// Of a later version no call ends before one of an earlier version has begun.
		latest := int64(math.MinInt64) // beginning so far
		var whose *commit
		for _, c := range all {
			if c.call.Outcome == Done && c.call.End < latest {
				j.wrong("order", "%s: the call %s ended before the call %s began, and has the higher version %d", object, c.call.ID, whose.call.ID, c.version)
			}
			if c.call.Begin > latest {
				latest, whose = c.call.Begin, c
			}
		}
	}
}
