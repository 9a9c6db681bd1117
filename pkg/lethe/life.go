package lethe

import (
	"encoding/binary"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/fence"
)

// entry is what a tier keeps beside a value. Behind Labels, the hashes of what makes it stale and that of all, its array has the
// any hashes of the same labels: who reads it from a load depends on both, and one array is one object to the collector.
type entry struct {
	fence.Life
	negative uint8  // 0: a value; else one more than the index of the remembered error
	null     bool   // the value is a nil pointer, map, slice or interface: no codec has to know how to write that
	size     uint32 // in the hot tier, estimated
}

func newEntry(birth uint64, start, expires, end int64, labels []depend.Label) entry {
	return entry{Life: fence.Life{Birth: birth, Start: start, Expires: expires, End: end, Labels: pairs(nil, labels)}}
}

// words is how long the array of so many labels is.
func words(labels int) int { return 2*labels + 1 }

// pairs returns the hashes of labels and that of all, with the any hashes behind; in room, if that is large enough.
func pairs(room []uint64, labels []depend.Label) []uint64 {
	n := len(labels)
	room = sized(room, n)
	for i, l := range labels {
		room[i], room[n+1+i] = l.Hash, l.Any
	}
	room[n] = allHash
	return room[:n+1]
}

// sized returns an array for so many labels: room, if that is large enough.
func sized(room []uint64, labels int) []uint64 {
	w := words(labels)
	if len(room) < w {
		return make([]uint64, w)
	}
	return room[:w:w]
}

// appendLabels appends what pairs was made of.
func appendLabels(dst []depend.Label, hashes []uint64) []depend.Label {
	if len(hashes) == 0 {
		return dst
	}
	n := len(hashes) - 1
	all := hashes[:words(n)]
	for i, h := range hashes[:n] {
		dst = append(dst, depend.Label{Hash: h, Any: all[n+1+i]})
	}
	return dst
}

// labels are what a caller that reads the entry depends on.
func (e *entry) labels() []depend.Label { return appendLabels(nil, e.Labels) }

//nolint:gochecknoglobals // a constant that takes a hash function to write
var allHash = depend.All().Hash

// An entry in the bulk tier is its header, its labels and the encoded value, little endian:
//
//	0 format | 1 negative | 2-3 labels n | 4 null | 8 birth | 16 start | 24 expires | 32 end | 40 n hashes | n any hashes | value
const (
	entryFormat = 1
	headerSize  = 40
	labelSize   = 16
)

func (e *entry) append(dst []byte) []byte {
	le, n := binary.LittleEndian, len(e.Labels)-1
	dst = append(dst, entryFormat, e.negative)
	dst = le.AppendUint16(dst, uint16(n))
	null := uint32(0)
	if e.null {
		null = 1
	}
	dst = le.AppendUint32(dst, null)
	dst = le.AppendUint64(dst, e.Birth)
	dst = le.AppendUint64(dst, uint64(e.Start))
	dst = le.AppendUint64(dst, uint64(e.Expires))
	dst = le.AppendUint64(dst, uint64(e.End))
	for i, h := range e.Labels[:words(n)] {
		if i != n { // that of all
			dst = le.AppendUint64(dst, h)
		}
	}
	return dst
}

// parseEntry reads an entry's header. Life.Labels stand in room, if that is large enough, with no any hashes behind: who wants those
// as well calls parseLabels.
func parseEntry(b []byte, room []uint64) (e entry, rawLabels, value []byte, ok bool) {
	le := binary.LittleEndian
	if len(b) < headerSize || b[0] != entryFormat {
		return entry{}, nil, nil, false
	}
	n := int(le.Uint16(b[2:]))
	if len(b) < headerSize+n*labelSize {
		return entry{}, nil, nil, false
	}
	e.negative, e.null = b[1], b[4] == 1
	e.Birth = le.Uint64(b[8:])
	e.Start, e.Expires, e.End = int64(le.Uint64(b[16:])), int64(le.Uint64(b[24:])), int64(le.Uint64(b[32:]))
	rawLabels, value = b[headerSize:headerSize+n*labelSize], b[headerSize+n*labelSize:]
	if len(room) <= n {
		room = make([]uint64, n+1)
	}
	room = room[: n+1 : n+1]
	for i := range n {
		room[i] = le.Uint64(rawLabels[i*8:])
	}
	room[n] = allHash
	e.Labels = room
	return e, rawLabels, value, true
}

// parseLabels returns the labels of an entry as an entry carries them.
func parseLabels(raw []byte) []uint64 {
	n := len(raw) / labelSize
	all := make([]uint64, words(n))
	for i := range 2 * n {
		at := i
		if i >= n {
			at++
		}
		all[at] = binary.LittleEndian.Uint64(raw[i*8:])
	}
	all[n] = allHash
	return all[:n+1]
}
