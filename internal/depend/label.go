package depend

import (
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Label is one thing that can be forgotten, as an entry carries it: a 64-bit hash of its own, and the hash of its any label
// (any key of the function, any tag of the family). Classes are kept apart: a tag and a function of one name differ. A
// collision of two hashes costs a needless miss, never a stale read.
type Label struct{ Hash, Any uint64 }

// Classes keep the hashes of different sorts of labels apart.
const (
	classAll      = "a\x00"
	classFunction = "f\x00"
	classKey      = "k\x00"
	classTag      = "t\x00"
	classPrefix   = "p\x00"
	classAnyFn    = "F\x00"
	classAnyTag   = "T\x00"
	classAny      = "*\x00"
)

func hash(class, name string) uint64 {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(class)
	_, _ = d.WriteString(name)
	return d.Sum64()
}

// All is the label that every entry carries.
func All() Label { return Label{Hash: hash(classAll, ""), Any: GlobalAny()} }

// GlobalAny is the hash that every invalidation raises and only entries with too many labels carry.
func GlobalAny() uint64 { return hash(classAny, "") }

// Function is the label of every entry of a function.
func Function(name string) Label {
	return Label{Hash: hash(classFunction, name), Any: hash(classAnyFn, name)}
}

// Key is the label of one entry of a function; key is its canonical text, or the hash of it where keys are hashed.
func Key(function, key string) Label {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(classKey)
	_, _ = d.WriteString(function)
	_, _ = d.WriteString("\x00")
	_, _ = d.WriteString(key)
	return Label{Hash: d.Sum64(), Any: hash(classAnyFn, function)}
}

// Tag is the label that invalidating the tag raises.
func Tag(tag string) Label {
	return Label{Hash: hash(classTag, tag), Any: hash(classAnyTag, family(tag))}
}

// Prefix is the label that invalidating the prefix raises; it ends in ':' or '/'.
func Prefix(prefix string) Label {
	return Label{Hash: hash(classPrefix, prefix), Any: hash(classAnyTag, family(prefix))}
}

// AppendTag appends what an entry that has the tag carries: the tag, every boundary in it (after a ':' or '/', which is where a
// prefix may end), and its own boundary ("user:42/" covers the tag "user:42"). So a prefix invalidation is one label, whatever
// it covers.
func AppendTag(dst []Label, tag string) []Label {
	anyTag := hash(classAnyTag, family(tag))
	dst = append(dst, Label{Hash: hash(classTag, tag), Any: anyTag})
	for i := range len(tag) {
		if tag[i] == ':' || tag[i] == '/' {
			dst = append(dst, Label{Hash: hash(classPrefix, tag[:i+1]), Any: anyTag})
		}
	}
	if !strings.HasSuffix(tag, "/") {
		dst = append(dst, Label{Hash: hash(classPrefix, tag+"/"), Any: anyTag})
	}
	return dst
}

func family(tag string) string {
	f, _, _ := strings.Cut(tag, ":")
	return f
}
