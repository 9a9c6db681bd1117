package event

import "strings"

// place is what one subject may speak of.
type place struct {
	kind placeKind
	name string // function, or family
	typ  string // the type of event that belongs there
}

type placeKind uint8

const (
	placeNone     placeKind = iota // an illegal name, another fleet: concerns nobody
	placeAll                       // everything
	placeFunction                  // one function
	placeFamily                    // one family of tags
	placeSys
	placeUnknown // a form of a later version: may speak of anything
)

// placeOf reads what follows the log or live prefix of a fleet.
func placeOf(rest string) place {
	head, name, below := strings.Cut(rest, ".")
	switch {
	case rest == "all":
		return place{placeAll, "", TypeInvalidated}
	case head == "_sys":
		return place{placeSys, rest, TypeTick}
	case head == "fn" && below:
		if legalFunction(name) {
			return place{placeFunction, name, TypeInvalidated}
		}
		return place{}
	case head == "tag" && below:
		if legalFamily(name) {
			return place{placeFamily, name, TypeInvalidated}
		}
		return place{}
	case head == "manifest" && below:
		kind, action, _ := strings.Cut(name, ".")
		if !legalFamily(kind) || strings.Contains(kind, "-") {
			return place{}
		}
		return place{placeFamily, kind, manifestType(action)}
	}
	return place{placeUnknown, "", TypeInvalidated}
}

// manifestType is the type that belongs on manifest.<kind>.<action>.
func manifestType(action string) string {
	switch action {
	case "applied":
		return TypeManifestApplied
	case "deleted":
		return TypeManifestDeleted
	}
	return TypeManifestInvalidated
}

// manifestAction is the last token of the subject of a manifest's event; empty for other types.
func manifestAction(typ string) string {
	switch typ {
	case TypeManifestApplied:
		return "applied"
	case TypeManifestDeleted:
		return "deleted"
	case TypeManifestInvalidated:
		return "invalidated"
	}
	return ""
}

// manifest says whether events about an object belong here.
func (p place) manifest() bool { return p.kind == placeFamily && p.typ != TypeInvalidated }

// Widest is the most that a log subject, as Target.Subject names it, may say: all of a function, all of a family of tags, or
// everything.
func Widest(subject string) Target {
	if ts := placeOf(subject).widest(); len(ts) == 1 {
		return ts[0]
	}
	return All()
}

// widest is the most the subject allows to be forgotten.
func (p place) widest() []Target {
	switch p.kind {
	case placeAll, placeUnknown:
		return []Target{All()}
	case placeFunction:
		return []Target{{class: classFunction, name: p.name}}
	case placeFamily:
		return []Target{{class: classPrefix, name: p.name + ":"}}
	default:
		return nil
	}
}

// allows says whether the subject may speak of t.
func (p place) allows(t Target) bool {
	switch p.kind {
	case placeAll:
		return t.class == classAll
	case placeUnknown:
		return true
	case placeFunction:
		return (t.class == classKey || t.class == classFunction) && t.name == p.name
	case placeFamily:
		return (t.class == classTag || t.class == classPrefix) && t.family() == p.name
	default:
		return false
	}
}
