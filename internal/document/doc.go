// Package document reads files of manifests, YAML or JSON, strictly, and remembers where everything stood; it writes them as
// YAML too.
//
// A text is split at lines that begin with "---". A document that begins with '{' is JSON, every other one YAML. Documents
// without content are passed over; a List, or a ThingList with items, is taken apart into its items. What comes out is JSON.
//
// Nothing that stands in a text is lost: what the parser of YAML leaves out, because it takes it for the end of a document or
// for a comment, is an error.
//
// YAML is read by its core schema and nothing beyond: no, on, 12:30 and 2026-11-22 are text, numbers keep their digits.
// Refused, because it means different things to different readers, or nothing in JSON: numbers with leading zeros, in
// hexadecimal or octal, .inf and .nan, keys that are lists or mappings, merge keys (<<), tags other than those of JSON's own
// types and the tag !, directives, control characters. Refused in both: a key that is given twice, half a surrogate pair, text that is not UTF-8.
//
// Everything is bounded (MaxBytes, MaxDocuments, MaxNodes, MaxDepth). Anchors and aliases are allowed, and what an alias
// stands for counts as if it were written there, so that a short text can't become a long one.
//
// An *Error says which document, line and field are meant. All functions are safe for concurrent use.
package document
