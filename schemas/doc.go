// Package schemas holds the wire contract as JSON Schema 2020-12, for publishers and readers in any language.
//
// event.v1.json is a whole event in CloudEvents' structured mode; invalidated.v1.json, manifest.v1.json and tick.v1.json are
// the data of its types, to which an event's dataschema points; token.v1.json is the text an invalidation answers with. The
// schemas describe what is written: a reader takes more than they allow, and forgets more where it does not understand.
// Lengths count characters here and bytes on the bus, so text beyond ASCII may pass a schema and still be refused.
package schemas
