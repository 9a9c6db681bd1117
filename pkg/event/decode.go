package event

import (
	"fmt"
	"strings"
)

// Reasons of Received.Widened, label values of events_widened_total.
const (
	WidenedUnreadable = "unreadable" // no JSON, another media type, attributes that contradict each other
	WidenedSize       = "size"       // more than MaxSize
	WidenedVersion    = "version"    // not CloudEvents 1.0
	WidenedType       = "type"       // a type that is unknown, or not the subject's
	WidenedTarget     = "target"     // a form or field of a target that is unknown, or no targets at all
	WidenedPrefix     = "prefix"     // a prefix that ends within a level, read as the boundary above
	WidenedSubject    = "subject"    // a form of subject that is unknown
)

// Reasons of Received.Rejected, label values of events_rejected_total.
const (
	RejectedSubject = "subject" // the payload said more than its subject allows
	RejectedName    = "name"    // an illegal name in the subject
	RejectedSys     = "sys"     // an unreadable or unknown message under _sys
	RejectedFleet   = "fleet"   // no subject of this fleet
	RejectedAnswer  = "answer"  // a server's answer to somebody's request, directed here by its reply subject
)

// Received is an event as a node has to take it.
type Received struct {
	// Event has in Targets what the receiver has to forget: cut to what the subject allows, widened where something was not
	// understood. Its Type is always one that belongs on the subject, and Manifest is there exactly when the type is a
	// manifest's; of an object that could not be read it has only the Kind, in lower case.
	Event
	// Sys is SysTick or SysLost; then there are no targets. Source and ID are filled.
	Sys string
	// Widened is empty, or why more is forgotten than was said. Rejected is empty, or why (part of) it was refused.
	Widened, Rejected string
	// Dropped counts the targets of the payload beyond its subject.
	Dropped int
	// Detail tells a person what was wrong; for a log line.
	Detail string
}

// Decode reads a message of the fleet's log, or of its live subjects. It never fails: what can't be understood forgets more,
// never less, and never more than the subject allows. The header may have any letter case in ce-* and content-type; the
// data is in binary mode, or structured when the content type says so or when there are no ce- headers. Nothing of header
// and data is kept or changed.
func Decode(fleet, subject string, header map[string][]string, data []byte) Received {
	var r Received
	rest, ours := below(fleet, subject)
	if !ours {
		r.reject(RejectedFleet, "subject %q is none of fleet %s", clip(subject), fleet)
		return r
	}
	p := placeOf(rest)
	switch p.kind {
	case placeNone:
		r.reject(RejectedName, "subject %q has an illegal name", clip(subject))
		return r
	case placeUnknown:
		r.widen(p, WidenedSubject, "subject %q has an unknown form", clip(subject))
	default:
	}
	r.read(p, header, data)
	if r.Widened != "" && answered(header, data) {
		r = Received{}
		r.reject(RejectedAnswer, "a server's answer on subject %q is no event", clip(subject))
		return r
	}
	if p.kind == placeSys {
		r.readSys(p)
	}
	return r
}

// below cuts the prefix of a log or live subject.
func below(fleet, subject string) (rest string, ours bool) {
	rest, ours = strings.CutPrefix(subject, logRoot)
	if !ours {
		rest, ours = strings.CutPrefix(subject, liveRoot)
	}
	if !ours || len(rest) <= len(fleet) || rest[:len(fleet)] != fleet || rest[len(fleet)] != '.' {
		return "", false
	}
	return rest[len(fleet)+1:], true
}

func (r *Received) reject(reason, format string, args ...any) {
	if r.Rejected == "" {
		r.Rejected = reason
	}
	r.detail(format, args...)
}

// widen makes the widest the subject allows of whatever was said. The first reason stays.
func (r *Received) widen(p place, reason, format string, args ...any) {
	r.Targets = p.widest()
	if r.Widened == "" {
		r.Widened = reason
	}
	r.detail(format, args...)
}

func (r *Received) detail(format string, args ...any) {
	if r.Detail == "" {
		r.Detail = fmt.Sprintf(format, args...)
	}
}

// read takes attributes and data. What it does not understand it widens, once, and leaves.
func (r *Received) read(p place, header map[string][]string, data []byte) {
	var a attributes
	data, err := a.read(&r.Event, header, data)
	switch typ := r.Type; {
	case err != nil:
		r.widen(p, err.reason, "%s", err.detail)
	case a.specversion != specVersion:
		r.widen(p, WidenedVersion, "specversion is %q", clip(a.specversion))
	case typ != p.typ && (!p.manifest() || typ != TypeInvalidated):
		r.widen(p, WidenedType, "type %q is unknown here", clip(typ))
	case !speaksJSON(a.datacontenttype):
		r.widen(p, WidenedUnreadable, "datacontenttype %q is not JSON", clip(a.datacontenttype))
	default:
		r.readData(p, data, a.keyShape)
		return
	}
	r.settle(p)
}

// settle leaves nothing half said behind of an event that was not understood.
func (r *Received) settle(p place) {
	r.Type, r.Manifest = p.typ, nil
	if p.manifest() {
		r.Manifest = &Manifest{Kind: p.name}
	}
}

func (r *Received) readData(p place, data []byte, keyShape string) {
	s := scanner{data: data, known: p.name}
	if p.kind == placeFunction {
		s.function = p.name
	}
	b, err := s.body(r.Type == p.typ && p.manifest())
	if err != nil {
		r.widen(p, WidenedUnreadable, "data: %v", err)
		r.settle(p)
		return
	}
	r.Reason, r.Manifest = b.reason, b.manifest
	if m := r.Manifest; m != nil && !strings.EqualFold(m.Kind, p.name) {
		r.reject(RejectedSubject, "kind %q is beyond its subject", clip(m.Kind))
		r.Manifest = &Manifest{Kind: p.name}
	}
	if p.kind == placeSys || p.kind == placeUnknown {
		return
	}
	switch {
	case b.problem != nil:
		r.widen(p, WidenedTarget, "%d targets were not understood, %d were: %v", b.unknown, len(b.targets), b.problem)
		return
	case len(b.targets) == 0:
		r.widen(p, WidenedTarget, "%d targets were not understood, %d were", b.unknown, len(b.targets))
		return
	}
	tellShape(b.targets, keyShape)
	r.take(p, b.targets)
	if s.cut > 0 && len(r.Targets) > 0 {
		r.Widened = WidenedPrefix
		r.detail("a tagPrefix does not end in ':' or '/'")
	}
}

// take keeps of targets what the subject allows.
func (r *Received) take(p place, targets []Target) {
	i := 0
	for i < len(targets) && p.allows(targets[i]) {
		i++
	}
	kept := targets[:i]
	for _, t := range targets[i:] {
		if p.allows(t) {
			kept = append(kept, t)
			continue
		}
		r.Dropped++
		if r.Dropped == 1 {
			r.reject(RejectedSubject, "target %s is beyond its subject", clip(t.String()))
		}
	}
	if len(kept) > 0 {
		r.Targets = kept
	}
}

// readSys says which message under _sys it was; one that could not be read is nothing.
func (r *Received) readSys(p place) {
	if r.Widened == "" && (p.name == SysTick || p.name == SysLost) {
		r.Sys = p.name
		return
	}
	r.Widened = ""
	r.reject(RejectedSys, "%s is unknown", clip(p.name))
}
