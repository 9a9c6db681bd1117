package event

import (
	"net/url"

	ce "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
)

// CloudEvent is e for those who read CloudEvents: structured output, other makers' libraries. Its data is the contract's
// JSON. What a stranger's event lacks and the standard demands is filled: the id with the token's text or "-", the source
// with "/".
func (e Event) CloudEvent() ce.Event {
	// The attributes are set directly: the SDK's setters trim an id and a subject.
	media, schema := jsonType, types.ParseURI(dataSchema(e.Type))
	c := ce.EventContextV1{
		ID:              or(e.ID, e.Token.String(), "-"),
		Source:          source(e.Source),
		Type:            or(e.Type, TypeInvalidated),
		DataContentType: &media,
		DataSchema:      schema,
	}
	if e.Subject != "" {
		c.Subject = &e.Subject
	}
	if !e.Time.IsZero() {
		c.Time = &types.Timestamp{Time: e.Time}
	}
	keyShape := e.keyShape()
	if n := len(e.Extensions); n > 0 || e.ActorType+e.ActorID+keyShape != "" {
		c.Extensions = make(map[string]any, n+3)
	}
	for name, value := range e.Extensions {
		c.Extensions[name] = value
	}
	if keyShape != "" {
		c.Extensions[AttributeKeyShape] = keyShape
	}
	if e.ActorType != "" {
		c.Extensions["authtype"] = e.ActorType
	}
	if e.ActorID != "" {
		c.Extensions["authid"] = e.ActorID
	}
	return ce.Event{Context: &c, DataEncoded: e.appendData(nil)}
}

func source(s string) types.URIRef {
	if isURIReference(s) {
		if u, err := url.Parse(s); err == nil {
			return types.URIRef{URL: *u}
		}
	}
	return types.URIRef{URL: url.URL{Path: or(s, "/")}}
}

func or(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}
