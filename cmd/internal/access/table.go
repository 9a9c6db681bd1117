package access

import "fmt"

// Rows are the user's permissions as a table has them: whether to publish, subscribe or answer, the subject, and what for.
func (u User) Rows() (rows [][]string) {
	for _, g := range u.Publish {
		rows = append(rows, []string{"publish", g.Subject, g.Why})
	}
	for _, g := range u.Subscribe {
		rows = append(rows, []string{"subscribe", g.Subject, g.Why})
	}
	if r := u.Responses; r != nil {
		rows = append(rows, []string{"answer", "-", fmt.Sprintf("requests it heard: %d messages each, within %v", r.Max, r.Expires)})
	}
	return rows
}
