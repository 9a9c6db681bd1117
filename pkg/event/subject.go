package event

import "strings"

// Subjects under a fleet's log prefix that only nodes use.
const (
	SysTick = "_sys.tick" // liveness
	SysLost = "_sys.lost" // sequences of the stream were reused
)

const (
	logRoot  = "lethe.v1.log."
	liveRoot = "lethe.v1.live."
	ctlRoot  = "lethe.v1.ctl."
)

// StreamName is the fleet's stream: LETHE_SHOP for shop.
func StreamName(fleet string) string { return "LETHE_" + strings.ToUpper(fleet) }

// LogSubject is what is published: LogSubject("shop", "all") is lethe.v1.log.shop.all; an empty rest gives the prefix with
// its trailing dot, ">" the wildcard of all that the stream holds.
func LogSubject(fleet, rest string) string { return logRoot + fleet + "." + rest }

// LiveSubject is the same, as the server republishes it.
func LiveSubject(fleet, rest string) string { return liveRoot + fleet + "." + rest }

// CtlSubject is a core NATS request to nodes.
func CtlSubject(fleet, rest string) string { return ctlRoot + fleet + "." + rest }

// Subject is the one subject, below the log prefix, that may say t: fn.catalog.price, tag.user or all. It is empty when t
// has an error. (A manifest's event may say tags of its kind's family as well, on its own subject.)
func (t Target) Subject() string {
	switch t.class {
	case classKey, classFunction:
		return "fn." + t.name
	case classTag, classPrefix:
		return "tag." + t.family()
	case classAll:
		return "all"
	default:
		return ""
	}
}
