package event

import (
	"strings"
	"time"
)

const (
	specVersion = "1.0"
	jsonType    = "application/json"

	// schemaBase is where the files of schemas/ can be fetched.
	schemaBase = "https://lethe-cache.dev/schemas/"
)

// dataSchema is the URI of the schema of a type's data.
func dataSchema(typ string) string {
	switch {
	case typ == TypeTick:
		return schemaBase + "tick.v1.json"
	case manifestAction(typ) != "":
		return schemaBase + "manifest.v1.json"
	}
	return schemaBase + "invalidated.v1.json"
}

// attributes are those of a CloudEvent that decide how its data is read, beside the ones of Event.
type attributes struct {
	specversion, datacontenttype string
	keyShape                     string // it ends up in the targets
	set                          int    // how many were given
}

// assign puts one attribute where it belongs; name is in lower case.
func (a *attributes) assign(e *Event, name, value string) {
	a.set++
	switch name {
	case "specversion":
		a.specversion = value
	case "datacontenttype":
		a.datacontenttype = value
	case "id":
		e.ID = value
	case "source":
		e.Source = value
	case "type":
		e.Type = value
	case "subject":
		e.Subject = value
	case "time":
		e.Time, _ = time.Parse(time.RFC3339Nano, value)
	case AttributeKeyShape:
		a.keyShape = value
	case "authtype":
		e.ActorType = value
	case "authid":
		e.ActorID = value
	case "dataschema": // tells nothing that type does not
	default:
		if !legalExtension(name) || (len(e.Extensions) >= maxExtensions && !contract(name)) {
			return
		}
		if e.Extensions == nil {
			e.Extensions = make(map[string]string, 2)
		}
		e.Extensions[name] = value
	}
}

// maxExtensions bounds how many other attributes an event keeps; the rest of a stranger's are dropped.
const maxExtensions = 16

// contract are the extensions that CONTRACT names: those are never dropped.
func contract(name string) bool {
	switch name {
	case "traceparent", "tracestate", "correlationid", AttributeCausation, AttributeReceivers, AttributeClaim:
		return true
	}
	return false
}

func legalExtension(name string) bool {
	if name == "" || len(name) > 20 {
		return false
	}
	for i := range len(name) {
		if !lowerOrDigit(name[i]) {
			return false
		}
	}
	return !reserved(name)
}

// reserved are the names that are no extension's.
func reserved(name string) bool {
	switch name {
	case "specversion", "datacontenttype", "dataschema", "id", "source", "type", "subject", "time", "data", "authtype", "authid", AttributeKeyShape:
		return true
	}
	return false
}

// speaksJSON says whether a media type is JSON; none given means JSON.
func speaksJSON(mediaType string) bool {
	mediaType, _, _ = strings.Cut(mediaType, ";")
	mediaType = strings.TrimSpace(mediaType)
	return mediaType == "" || strings.EqualFold(mediaType, jsonType) || strings.EqualFold(mediaType, "text/json") ||
		len(mediaType) > 5 && strings.EqualFold(mediaType[len(mediaType)-5:], "+json")
}
