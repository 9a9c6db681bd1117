package depend

import (
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Label is one thing that can be forgotten, as an entry carries it: a 64-bit hash of its own, and the hash of its any label
// (any key of the function, any tag of the family). Classes are kept apart: a tag and a function of one name differ. A
// collision of two hashes costs a needless miss, never a stale read.
type Label struct{ Hash, Any uint64 }

// Classes keep the hashes of different sorts of labels apart. A prefix is hashed without the ':' or '/' that it ends in, which
// is told by its class: the tag "user:42" and its own boundary "user:42/" are one text.
const (
	classAll uint64 = iota + 1
	classFunction
	classTag
	classColon // a prefix that ends in ':'
	classSlash // a prefix that ends in '/'
	classAnyFn
	classAnyTag
	classAny
)

// hash of a name within a class. Over one text classes never meet, since mix is a bijection; over two they do as seldom as two
// hashes of 64 bits.
func hash(class uint64, name string) uint64 { return mix(xxhash.Sum64String(name) ^ class) }

// mix is the first half of MurmurHash3's finalizer: a bijection in which every bit of h reaches those that tables and slots are
// indexed by. Without it the keys of two functions would be one pattern, shifted.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	return h ^ h>>33
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
func Key(function, key string) Label { return Function(function).Key(key) }

// Key is the label of one entry of the function whose label l is. Keys of one function meet as seldom as two hashes of 64 bits,
// and keys of two, whose own hashes differ, no more often.
func (l Label) Key(key string) Label {
	return Label{Hash: mix(xxhash.Sum64String(key) ^ l.Hash), Any: l.Any}
}

// Tag is the label that invalidating the tag raises.
func Tag(tag string) Label {
	return Label{Hash: hash(classTag, tag), Any: hash(classAnyTag, family(tag))}
}

// Prefix is the label that invalidating the prefix raises; it ends in ':' or '/'.
func Prefix(prefix string) Label {
	return Label{Hash: boundary(prefix), Any: hash(classAnyTag, family(prefix))}
}

func boundary(prefix string) uint64 {
	if above, colon := strings.CutSuffix(prefix, ":"); colon {
		return hash(classColon, above)
	}
	return hash(classSlash, strings.TrimSuffix(prefix, "/"))
}

// AppendTag appends what an entry that has the tag carries: the tag, every boundary in it (after a ':' or '/', which is where a
// prefix may end), and its own boundary ("user:42/" covers the tag "user:42", and "user:42//" the tag "user:42/"). So a prefix
// invalidation is one label, whatever it covers.
func AppendTag(dst []Label, tag string) []Label {
	anyTag := hash(classAnyTag, family(tag))
	dst = append(dst, Label{Hash: hash(classTag, tag), Any: anyTag})
	for i := range len(tag) {
		if tag[i] == ':' || tag[i] == '/' {
			dst = append(dst, Label{Hash: boundary(tag[:i+1]), Any: anyTag})
		}
	}
	return append(dst, Label{Hash: hash(classSlash, tag), Any: anyTag})
}

// Collapsed reports whether the label stands for others: what an entry with too many carries instead.
func (l Label) Collapsed() bool { return l.Hash == l.Any }

func family(tag string) string {
	f, _, _ := strings.Cut(tag, ":")
	return f
}
