package bus

import "github.com/lethe-cache/lethe/internal/cursor"

// Causes are those that Status counts Resets by.
func Causes() (all []string) {
	for _, c := range cursor.Causes() {
		all = append(all, string(c))
	}
	return all
}

// WidenedStorm is the reason of Status.Widened that is no event's own: Config.WidenStorms.
const WidenedStorm = "storm"
