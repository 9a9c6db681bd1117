package event

// MaxTargets is how many bytes of targets (Target.Size) fit into an event whatever else is in it.
const MaxTargets = 40 << 10

// Group cuts targets into what one event each can carry: of one subject, at most MaxTargets bytes, no target twice, soft
// ones left out where the same is there hard. Subjects come in the order of the first target that is kept. A target that is too large
// by itself stands alone, so that Encode refuses it and no other. The error is the first target's that has one.
func Group(targets ...Target) ([][]Target, error) {
	type batch struct{ at, size int }
	var (
		groups [][]Target
		open   = make(map[string]batch, 1)
		seen   = make(map[Target]bool, len(targets))
	)
	for i, t := range targets {
		if err := t.Err(); err != nil {
			return nil, within(index("targets", i), err)
		}
		seen[t] = false
	}
	for _, t := range targets {
		hard := t
		hard.soft = false
		_, covered := seen[hard]
		if seen[t] || (t.soft && covered) {
			continue
		}
		seen[t] = true
		subject, size := t.Subject(), t.Size()
		b, ok := open[subject]
		if !ok || b.size+size > MaxTargets {
			b = batch{at: len(groups)}
			groups = append(groups, nil)
		}
		b.size += size
		groups[b.at] = append(groups[b.at], t)
		open[subject] = b
	}
	return groups, nil
}
