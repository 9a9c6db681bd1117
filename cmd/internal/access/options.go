package access

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Options say whose permissions are wanted. Role and Fleet are required.
type Options struct {
	Role  Role
	Fleet string
	// Name of the user; a node's is the node's. Default: the role, and web-1 for a node.
	Name string
	// Functions, Tags and Kinds are what the user may invalidate: names or patterns like "catalog.>", tag families, kinds of
	// manifests. All empty: everything, and the whole fleet at once. A watcher has none. An editor's Kinds are those whose manifests it
	// may apply, delete, report of and read.
	Functions, Tags, Kinds []string
	// External: the stream is provisioned elsewhere, so that a node neither creates nor changes it.
	External bool
	// OrderedFeed: a node follows the stream by a consumer, where RePublish is not allowed.
	OrderedFeed bool
	// Receivers: a node runs once-per-fleet receivers.
	Receivers bool
	// Relay: a publisher relays an outbox, and stores a tick after a repeated publish; a node has a database, announces whatever
	// is in its outbox and answers for its manifests.
	Relay bool
}

// A user's name is a subject token, as a node's is, and so stands in its presence and in its inbox prefix.
const maxName = 64

var legalName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$`)

func (o Options) withDefaults() (Options, error) {
	if o.Role == Node {
		o.Name = cmp.Or(o.Name, "web-1")
	}
	o.Name = cmp.Or(o.Name, string(o.Role))
	var problems []error
	if _, err := ParseRole(string(o.Role)); err != nil {
		problems = append(problems, err)
	}
	if err := event.CheckFleet(o.Fleet); err != nil {
		problems = append(problems, err)
	}
	if len(o.Name) > maxName || !legalName.MatchString(o.Name) {
		problems = append(problems, fmt.Errorf("name %q: letters, digits, '-' and '_', at most %d", o.Name, maxName))
	}
	for _, pattern := range o.Functions {
		name, _ := strings.CutSuffix(pattern, ".>")
		if err := event.CheckFunction(name); err != nil {
			problems = append(problems, fmt.Errorf("function %q: want a name like catalog.price, or all below one like catalog.>: %w", pattern, err))
		}
	}
	for _, family := range o.Tags {
		if err := event.CheckTag(family + ":x"); err != nil || strings.Contains(family, ":") {
			problems = append(problems, fmt.Errorf("tag family %q: want lower-case letters, digits and '-', without ':' and what follows it", family))
		}
	}
	for _, kind := range o.Kinds {
		if err := event.CheckKind(kind); err != nil {
			problems = append(problems, fmt.Errorf("%w; give the kind's own name, no plural or short name ('lethe-publisher kinds' has it under KIND)", err))
		}
	}
	only := func(set bool, field string, roles ...Role) {
		for _, r := range roles {
			set = set && o.Role != r
		}
		if set {
			problems = append(problems, fmt.Errorf("%s has no meaning for a %s", field, o.Role))
		}
	}
	only(len(o.Functions)+len(o.Tags) > 0, "what may be invalidated", Node, Publisher, Admin)
	only(len(o.Kinds) > 0, "a kind", Node, Publisher, Admin, Editor)
	only(o.External, "an external stream", Node)
	only(o.OrderedFeed, "a consumer as feed", Node)
	only(o.Receivers, "once-per-fleet receivers", Node)
	only(o.Relay, "a relay", Publisher, Node)
	if o.Role == Node && o.Relay && len(o.Functions)+len(o.Tags)+len(o.Kinds) > 0 {
		problems = append(problems, errors.New("a node with a database announces whatever is in it, also what others have put there: "+
			"what may be invalidated can't be narrowed"))
	}
	return o, errors.Join(problems...)
}
