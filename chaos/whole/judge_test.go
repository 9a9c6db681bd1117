package whole_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/chaos/whole"
)

// history is one that is well: two calls write a and b, one changes b alone, one deletes a.
func history() (rows []whole.Row, calls []whole.Call, said []whole.Said) {
	rows = []whole.Row{
		{Object: "a", Version: 1, Spec: "0"},
		{Object: "b", Version: 1, Spec: "0"},
		{Object: "b", Version: 2, Spec: "1"},
		{Object: "a", Gone: true},
	}
	calls = []whole.Call{
		{ID: "first", Outcome: whole.Done, Begin: 1, End: 2, Docs: []whole.Doc{{Object: "a", Spec: "0", Changed: true, Version: 1}, {Object: "b", Spec: "0", Changed: true, Version: 1}}},
		{ID: "second", Outcome: whole.Done, Begin: 3, End: 4, Docs: []whole.Doc{{Object: "a", Spec: "0", Guard: 1, Version: 1}, {Object: "b", Spec: "1", Changed: true, Version: 2}}},
		{ID: "idle", Outcome: whole.Done, Begin: 5, End: 6, Docs: []whole.Doc{{Object: "a", Spec: "0", Version: 1}, {Object: "b", Spec: "1", Version: 2}}},
		{ID: "gone", Outcome: whole.Unknown, Begin: 7, Docs: []whole.Doc{{Object: "a", Gone: true}}},
		{ID: "list", Look: true, Outcome: whole.Done, Begin: 9, End: 10, Docs: []whole.Doc{{Object: "a", Gone: true}, {Object: "b", Version: 2}}},
		{ID: "no", Outcome: whole.Refused, Begin: 9, End: 10, Docs: []whole.Doc{{Object: "b", Spec: "7"}}},
	}
	said = []whole.Said{
		{Object: "a", Version: 1, Call: "first"},
		{Object: "b", Version: 1, Call: "first"},
		{Object: "b", Version: 2, Call: "second"},
		{Object: "b", Version: 1, Call: "first"}, // said twice
		{Object: "a", Version: 3, Gone: true, Call: "gone"},
	}
	return rows, calls, said
}

func TestHistoryOfWholeAppliesIsWell(t *testing.T) {
	t.Parallel()
	if found := whole.Judge(history()); found != nil {
		t.Errorf("%q", found)
	}
	if found := whole.Judge(nil, nil, nil); found != nil {
		t.Errorf("%q", found)
	}
}

// What has nothing to do with each other may be stored in another order than that of its numbers.
func TestListMayMissALowerVersionOfAnotherObject(t *testing.T) {
	t.Parallel()
	rows := []whole.Row{{Object: "a", Version: 1, Spec: "0"}, {Object: "b", Version: 2, Spec: "0"}}
	calls := []whole.Call{
		{ID: "slow", Outcome: whole.Done, Begin: 1, End: 9, Docs: []whole.Doc{{Object: "a", Spec: "0", Changed: true, Version: 1}}},
		{ID: "fast", Outcome: whole.Done, Begin: 2, End: 3, Docs: []whole.Doc{{Object: "b", Spec: "0", Changed: true, Version: 2}}},
		{ID: "list", Look: true, Outcome: whole.Done, Begin: 4, End: 5, Docs: []whole.Doc{{Object: "a", Gone: true}, {Object: "b", Version: 2}}},
	}
	said := []whole.Said{{Object: "b", Version: 2, Call: "fast"}, {Object: "a", Version: 1, Call: "slow"}}
	if found := whole.Judge(rows, calls, said); found != nil {
		t.Errorf("%q", found)
	}
}

func TestEachThingThatIsWrongIsFound(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, want string
		break_     func(rows *[]whole.Row, calls []whole.Call, said *[]whole.Said)
	}{
		{"a mixture", "whole: version 2, of the call second, leaves a", func(_ *[]whole.Row, calls []whole.Call, _ *[]whole.Said) {
			calls[1].Docs[0].Spec = "1"
		}},
		{"another spec", "whole: version 2 of b is 9", func(rows *[]whole.Row, _ []whole.Call, _ *[]whole.Said) { (*rows)[2].Spec = "9" }},
		{"a stranger's document", "which its call first does not name", func(_ *[]whole.Row, calls []whole.Call, _ *[]whole.Said) {
			calls[0].Docs = calls[0].Docs[:1]
		}},
		{"a guard passed by", "guard: ", func(_ *[]whole.Row, calls []whole.Call, _ *[]whole.Said) { calls[1].Docs[0].Guard = 7 }},
		{"an announcement lost", "announced: version 2 of b was stored", func(_ *[]whole.Row, _ []whole.Call, said *[]whole.Said) {
			*said = slices.Delete(*said, 2, 3)
		}},
		{"a delete not announced", "announced: a was deleted", func(_ *[]whole.Row, _ []whole.Call, said *[]whole.Said) { *said = (*said)[:4] }},
		{"said and not stored", "announced: the stream says that b is at version 5", func(_ *[]whole.Row, _ []whole.Call, said *[]whole.Said) {
			*said = append(*said, whole.Said{Object: "b", Version: 5, Call: "no"})
		}},
		{"said deleted and not", "announced: the stream says that b was deleted", func(_ *[]whole.Row, _ []whole.Call, said *[]whole.Said) {
			*said = append(*said, whole.Said{Object: "b", Version: 5, Gone: true, Call: "no"})
		}},
		{"said in another order", "behind version 2", func(_ *[]whole.Row, _ []whole.Call, said *[]whole.Said) {
			(*said)[1], (*said)[2] = (*said)[2], (*said)[1]
			*said = slices.Delete(*said, 3, 4)
		}},
		{"done and lost", "lost: the call second was told that it is done", func(rows *[]whole.Row, _ []whole.Call, said *[]whole.Said) {
			*rows, *said = slices.Delete(*rows, 2, 3), slices.Delete(*said, 2, 3)
		}},
		{"refused and stored", "lost: the call second was refused", func(_ *[]whole.Row, calls []whole.Call, _ *[]whole.Said) {
			calls[1].Outcome = whole.Refused
		}},
		{"unchanged and stored", "lost: the call second was told that nothing changed", func(_ *[]whole.Row, calls []whole.Call, _ *[]whole.Said) {
			calls[1].Docs[1].Changed = false
		}},
		{"a version that falls", "order: b was stored at version 1 after version 2", func(rows *[]whole.Row, _ []whole.Call, _ *[]whole.Said) {
			(*rows)[1], (*rows)[2] = (*rows)[2], (*rows)[1]
		}},
		{"an order that time contradicts", "order: b: the call second ended before the call first began", func(_ *[]whole.Row, calls []whole.Call, _ *[]whole.Said) {
			calls[0].Begin, calls[0].End = 5, 6
		}},
		{"two moments", "moment: what the call idle saw never stood at one moment", func(_ *[]whole.Row, calls []whole.Call, _ *[]whole.Said) {
			calls[4] = whole.Call{ID: "idle", Look: true, Outcome: whole.Done, Begin: 3, End: 10, Docs: []whole.Doc{{Object: "b", Version: 1}, {Object: "c", Version: 3}}}
		}},
		{"two moments through a third", "moment: what the call idle saw never stood at one moment", func(rows *[]whole.Row, calls []whole.Call, said *[]whole.Said) {
			// c is written by a call that ended before another one, of d, began. The list has d, and not c.
			*rows = append(*rows, whole.Row{Object: "c", Version: 4, Spec: "0"}, whole.Row{Object: "d", Version: 5, Spec: "0"})
			*said = append(*said, whole.Said{Object: "c", Version: 4, Call: "cc"}, whole.Said{Object: "d", Version: 5, Call: "dd"})
			calls[4] = whole.Call{ID: "cc", Outcome: whole.Done, Begin: 3, End: 4, Docs: []whole.Doc{{Object: "c", Changed: true}}}
			calls[5] = whole.Call{ID: "dd", Outcome: whole.Done, Begin: 5, End: 9, Docs: []whole.Doc{{Object: "d", Changed: true}}}
			calls[2] = whole.Call{ID: "idle", Look: true, Outcome: whole.Done, Begin: 3, End: 10, Docs: []whole.Doc{{Object: "c", Gone: true}, {Object: "d", Version: 5}}}
		}},
		{"a moment that was over", "moment: the call list did not see version 2", func(_ *[]whole.Row, calls []whole.Call, _ *[]whole.Said) {
			calls[4].Docs = []whole.Doc{{Object: "b", Version: 1}}
		}},
		{"what never was", "moment: the call list saw b at version 8", func(_ *[]whole.Row, calls []whole.Call, _ *[]whole.Said) {
			calls[4].Docs[1].Version = 8
		}},
		{"two calls in one commit", "whole: version 1 is of the calls first and no", func(_ *[]whole.Row, _ []whole.Call, said *[]whole.Said) { (*said)[1].Call = "no" }},
		{"one call in two commits", "whole: the call first has the versions 1 and 2", func(_ *[]whole.Row, _ []whole.Call, said *[]whole.Said) { (*said)[2].Call = "first" }},
		{"nobody's", "which there was not", func(_ *[]whole.Row, _ []whole.Call, said *[]whole.Said) { (*said)[2].Call = "nobody" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			rows, calls, said := history()
			if tc.name == "two moments" {
				rows = append(rows, whole.Row{Object: "c", Version: 4, Spec: "0"})
				said = append(said, whole.Said{Object: "c", Version: 4, Call: "third"})
				calls = append(calls, whole.Call{ID: "third", Docs: []whole.Doc{{Object: "c", Spec: "0"}, {Object: "b", Spec: "1"}}, Begin: 1}) // on top of version 2
			}
			tc.break_(&rows, calls, &said)
			if tc.name == "two moments" {
				calls[4].Docs[1].Version = 4
			}
			found := whole.Judge(rows, calls, said)
			if !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, tc.want) || strings.Contains(f, tc.want) }) {
				t.Errorf("found %q, want one that says %q", found, tc.want)
			}
		})
	}
}
