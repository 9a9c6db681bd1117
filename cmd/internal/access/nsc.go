package access

import (
	"fmt"
	"strings"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Nsc is the commands that make these users, who are of one fleet, with nsc, laid out as in Conf: the stream's account and
// its private exports, and for each publisher and watcher an account with the activations of what it imports.
func Nsc(users ...User) string {
	var b strings.Builder
	if len(users) == 0 {
		return ""
	}
	home := event.StreamName(users[0].Fleet)
	fmt.Fprintf(&b, "nsc add account --name %s\nnsc edit account --name %s --js-streams -1 --js-consumer -1 --js-disk-storage -1\n", home, home)
	exported := map[string]bool{}
	for _, u := range users {
		where := home
		if u.Role.guest() {
			where = account(u)
			u.nscGuest(&b, home, exported)
		}
		fmt.Fprintf(&b, "nsc add user --account %s --name %s \\\n  --allow-pub '%s' \\\n  --allow-sub '%s'", where, u.Name,
			strings.Join(subjects(u.Publish), ","), strings.Join(subjects(u.Subscribe), ","))
		if r := u.Responses; r != nil {
			fmt.Fprintf(&b, " \\\n  --allow-pub-response=%d --response-ttl %v", r.Max, r.Expires)
		}
		fmt.Fprintf(&b, "\nnsc generate creds --account %s --name %s --output-file %s.creds\n", where, u.Name, u.Name)
	}
	return b.String()
}

func (u User) nscGuest(b *strings.Builder, home string, exported map[string]bool) {
	where, n := account(u), 0
	fmt.Fprintf(b, "nsc add account --name %s\nkey=$(nsc describe account --name %s --field sub | tr -d '\"')\n", where, where)
	u.shared(func(kind string, g Grant) {
		n++
		if !exported[g.Subject] {
			exported[g.Subject] = true
			more := ""
			if kind == "service" {
				more = " --service"
			}
			if g.many {
				more += " --response-type Stream"
			}
			fmt.Fprintf(b, "nsc add export --account %s --name '%s' --subject '%s' --private%s\n", home, g.Subject, g.Subject, more)
		}
		fmt.Fprintf(b, "nsc generate activation --account %s --subject '%s' --target-account $key --output-file %s-%d.tok\n", home, g.Subject, where, n)
		fmt.Fprintf(b, "nsc add import --account %s --token %s-%d.tok --name '%s' --local-subject '%s'\n", where, where, n, g.Subject, g.Subject)
	})
}
