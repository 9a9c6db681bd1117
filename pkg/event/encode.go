package event

import (
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxReason  = 1 << 10
	maxHeaders = 8 << 10 // of one event, as written
	maxObjects = 8 << 10 // a manifest event's data without its targets
)

// Message is an event ready to be published: the complete subject, ce-* headers as written (never Nats-Msg-Id, which is the
// bus's to set), and the JSON data.
type Message struct {
	Subject string
	Header  map[string][]string
	Data    []byte
}

// Encode writes e for fleet's log in binary mode, strictly: everything in it has to be legal, and all its targets have to be
// sayable on one subject, which follows from them, or from e.Manifest. It fills ID (a UUIDv7), Time (now), Type and Subject
// where they are empty; Source is required. Token is not written. The error wraps ErrInvalid and names the field; Group is
// what cuts a list of targets into events that fit.
func Encode(fleet string, e Event) (Message, error) {
	fill(&e)
	rest, err := e.check(fleet)
	if err != nil {
		return Message{}, err
	}
	header, size := e.header(dataSchema(e.Type))
	m := Message{Subject: LogSubject(fleet, rest), Header: header}
	if size > maxHeaders {
		return Message{}, invalid("extensions", "attributes take %d bytes, at most %d are allowed", size, maxHeaders)
	}
	room := 64 + len(e.Reason)
	for _, t := range e.Targets {
		room += t.Size()
	}
	m.Data = e.appendData(make([]byte, 0, room))
	if size += len(m.Data); size > MaxSize {
		return Message{}, invalid("targets", "the event takes %d bytes, at most %d are allowed; send several (Group), "+
			"name the whole function, or use Target.Hashed", size, MaxSize)
	}
	return m, nil
}

// EncodeSys writes a tick or a lost (SysTick, SysLost) of node.
func EncodeSys(fleet, sys, source, node, id string, at time.Time) Message {
	e := Event{ID: id, Source: source, Type: TypeTick, Time: at}
	header, _ := e.header(dataSchema(TypeTick))
	return Message{
		Subject: LogSubject(fleet, sys),
		Header:  header,
		Data:    append(appendQuoted([]byte(`{"node":`), strings.ToValidUTF8(node, "\uFFFD")), '}'),
	}
}

func fill(e *Event) {
	if e.ID == "" {
		e.ID = NewID()
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if e.Type == "" {
		e.Type = TypeInvalidated
		if e.Manifest != nil {
			e.Type = manifestType(pastTense(e.Manifest.Action))
		}
	}
	if e.Subject == "" {
		e.Subject = e.about()
	}
}

// pastTense is the subject's word for a manifest's action.
func pastTense(action string) string {
	if action == "created" || action == "configured" {
		return "applied"
	}
	return action
}

// about is the subject attribute: what the event is about, when that is exactly one thing.
func (e Event) about() string {
	if m := e.Manifest; m != nil {
		return strings.TrimRight(m.Kind+"/"+m.Namespace+"/"+m.Name, "/")
	}
	if len(e.Targets) != 1 {
		return ""
	}
	switch t := e.Targets[0]; t.class {
	case classKey, classFunction, classTag:
		return t.name
	default:
		return ""
	}
}

// check refuses what must not be written, and says on which subject the rest goes.
func (e Event) check(fleet string) (rest string, err error) {
	if err := CheckFleet(fleet); err != nil {
		return "", err
	}
	if err := e.checkAttributes(); err != nil {
		return "", err
	}
	if err := checkReason(e.Reason); err != nil {
		return "", err
	}
	if rest, err = e.subject(); err != nil {
		return "", err
	}
	if len(e.Targets) == 0 {
		return "", invalid("targets", "an event needs at least one")
	}
	p := placeOf(rest)
	for i, t := range e.Targets {
		if err := t.Err(); err != nil {
			return "", within(index("targets", i), err)
		}
		if !p.allows(t) {
			return "", invalid(index("targets", i), "%s can't be said on %s; send it as an event of its own", clip(t.String()), rest)
		}
	}
	return rest, nil
}

// subject is the one that e belongs on, below the log prefix.
func (e Event) subject() (string, error) {
	action := manifestAction(e.Type)
	switch {
	case e.Type == TypeInvalidated && e.Manifest == nil:
		if len(e.Targets) == 0 {
			return "", nil
		}
		return e.Targets[0].Subject(), nil
	case action == "":
		return "", invalid("type", "%q does not travel, or not with a manifest", clip(e.Type))
	case e.Manifest == nil:
		return "", invalid("manifest", "%s needs one", e.Type)
	}
	return "manifest." + strings.ToLower(e.Manifest.Kind) + "." + action, e.Manifest.check(action)
}

func (m *Manifest) check(action string) error {
	if err := CheckKind(m.Kind); err != nil {
		return within("manifest", err)
	}
	all := m.Name == "" && action == "invalidated" // of a kind, or of a namespace of it
	if err := checkObject("name", m.Name); err != nil && !all {
		return within("manifest", err)
	}
	if err := checkObject("namespace", m.Namespace); err != nil && (!all || m.Namespace != "") {
		return within("manifest", err)
	}
	if pastTense(m.Action) != action {
		return invalid("manifest.action", "%q does not belong to an event of %s", clip(m.Action), action)
	}
	for name, value := range m.Labels {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return invalid("manifest.labels", "%q is not UTF-8", clip(name+"="+value))
		}
	}
	for _, s := range [...]string{m.APIVersion, m.UID, m.ResourceVersion} {
		if !plainText(s) {
			return invalid("manifest", "%q has to be UTF-8 without control characters", clip(s))
		}
	}
	if size := len(m.appendFields(nil)); size > maxObjects {
		return invalid("manifest", "it takes %d bytes, at most %d are allowed; use fewer labels", size, maxObjects)
	}
	return nil
}

func (e Event) checkAttributes() error {
	if !isURIReference(e.Source) {
		return invalid("source", "%q: use an absolute path or a URI, like /lethe/shop/node-1", clip(e.Source))
	}
	for _, a := range [...]struct{ name, value string }{
		{"id", e.ID},
		{"subject", e.Subject},
		{"actor type", e.ActorType},
		{"actor id", e.ActorID},
	} {
		if !plainText(a.value) || (a.value != "" && strings.TrimSpace(a.value) == "") { // blank is empty to the CloudEvents SDK
			return invalid(a.name, "%q has to be UTF-8 without control characters, and not blank", clip(a.value))
		}
	}
	others := 0
	for name, value := range e.Extensions {
		if !contract(name) {
			others++
		}
		if !legalExtension(name) {
			return invalid("extensions", "%q: use 1 to 20 lower-case letters and digits, and no name of an event's own attribute", clip(name))
		}
		if value == "" || !plainText(value) {
			return invalid("extensions."+name, "%q has to be UTF-8 without control characters, and not empty", clip(value))
		}
	}
	if others > maxExtensions {
		return invalid("extensions", "there are %d, at most %d are allowed beside the contract's own", others, maxExtensions)
	}
	if y := e.Time.Year(); y < 1 || y > 9999 {
		return invalid("time", "the year %d can't be written", y)
	}
	return nil
}

func checkReason(reason string) error {
	if len(reason) > maxReason || !utf8.ValidString(reason) {
		return invalid("reason", "%q has to be UTF-8 of at most %d bytes", clip(reason), maxReason)
	}
	return nil
}

// isURIReference takes only the characters RFC 3986 has, which url.Parse does not insist on.
func isURIReference(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !letter(c) && !digit(c) && strings.IndexByte("-._~:/?#[]@!$&'()*+,;=%", c) < 0 {
			return false
		}
	}
	if plainPath(s) {
		return true
	}
	_, err := url.Parse(s)
	return s != "" && err == nil
}

// plainPath is what most sources are; url.Parse has nothing to say against any.
func plainPath(s string) bool {
	if s == "" || s[0] != '/' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !letter(c) && !digit(c) && c != '/' && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// header writes the attributes, and counts what they take: names, values and what NATS puts between them.
func (e Event) header(schema string) (h map[string][]string, size int) {
	const most = 11
	h = make(map[string][]string, most+len(e.Extensions))
	room := make([]string, 0, most+len(e.Extensions)) // of all values; each list is one long, and full
	set := func(name, value string) {
		if value == "" {
			return
		}
		value = escapeHeader(value)
		size += len(name) + len(value) + len(": \r\n")
		n := len(room)
		room = append(room, value)
		h[name] = room[n : n+1 : n+1]
	}
	set("ce-specversion", specVersion)
	set("ce-id", e.ID)
	set("ce-source", e.Source)
	set("ce-type", e.Type)
	set("ce-subject", e.Subject)
	set("ce-time", e.Time.UTC().Format(time.RFC3339Nano))
	set("ce-datacontenttype", jsonType)
	set("ce-dataschema", schema)
	set("ce-authtype", e.ActorType)
	set("ce-authid", e.ActorID)
	for name, value := range e.Extensions {
		set("ce-"+name, value)
	}
	set("ce-"+AttributeKeyShape, e.keyShape())
	return h, size
}
