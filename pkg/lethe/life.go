package lethe

import (
	"encoding/binary"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/fence"
)

// entry is what a tier keeps beside a value.
type entry struct {
	fence.Life
	labels   []depend.Label // what a caller that reads it depends on; Life.Labels are their hashes and that of all
	negative uint8          // 0: a value; else one more than the index of the remembered error
}

func newEntry(birth uint64, start, expires, end int64, labels []depend.Label) entry {
	e := entry{Life: fence.Life{Birth: birth, Start: start, Expires: expires, End: end}}
	e.carry(labels)
	return e
}

// carry gives the entry its labels.
func (e *entry) carry(labels []depend.Label) {
	e.labels = labels
	e.Labels = appendHashes(make([]uint64, 0, len(labels)+1), labels)
}

func (e *entry) hashes() []uint64 { return e.Labels }

// appendHashes appends the hashes of labels and of the label that every entry carries.
func appendHashes(dst []uint64, labels []depend.Label) []uint64 {
	for _, l := range labels {
		dst = append(dst, l.Hash)
	}
	return append(dst, allHash)
}

//nolint:gochecknoglobals // a constant that takes a hash function to write
var allHash = depend.All().Hash

// An entry in the bulk tier is its header, its labels and the encoded value, little endian:
//
//	0 format | 1 negative | 2-3 labels n | 8 birth | 16 start | 24 expires | 32 end | 40 n * (hash, any) | value
const (
	entryFormat = 1
	headerSize  = 40
	labelSize   = 16
)

func (e *entry) append(dst []byte) []byte {
	le := binary.LittleEndian
	dst = append(dst, entryFormat, e.negative)
	dst = le.AppendUint16(dst, uint16(len(e.labels)))
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint64(dst, e.Birth)
	dst = le.AppendUint64(dst, uint64(e.Start))
	dst = le.AppendUint64(dst, uint64(e.Expires))
	dst = le.AppendUint64(dst, uint64(e.End))
	for _, l := range e.labels {
		dst = le.AppendUint64(dst, l.Hash)
		dst = le.AppendUint64(dst, l.Any)
	}
	return dst
}

// parseEntry reads an entry's header; hashes is room for Life.Labels, so that a read need not allocate. labels stay in b
// until someone asks for them.
func parseEntry(b []byte, hashes []uint64) (e entry, rawLabels, value []byte, ok bool) {
	le := binary.LittleEndian
	if len(b) < headerSize || b[0] != entryFormat {
		return entry{}, nil, nil, false
	}
	n := int(le.Uint16(b[2:]))
	if len(b) < headerSize+n*labelSize {
		return entry{}, nil, nil, false
	}
	e.negative = b[1]
	e.Birth = le.Uint64(b[8:])
	e.Start, e.Expires, e.End = int64(le.Uint64(b[16:])), int64(le.Uint64(b[24:])), int64(le.Uint64(b[32:]))
	rawLabels, value = b[headerSize:headerSize+n*labelSize], b[headerSize+n*labelSize:]
	for i := range n {
		hashes = append(hashes, le.Uint64(rawLabels[i*labelSize:]))
	}
	hashes = append(hashes, allHash)
	e.Labels = hashes
	return e, rawLabels, value, true
}

func parseLabels(raw []byte) []depend.Label {
	ls := make([]depend.Label, len(raw)/labelSize)
	for i := range ls {
		ls[i] = depend.Label{
			Hash: binary.LittleEndian.Uint64(raw[i*labelSize:]),
			Any:  binary.LittleEndian.Uint64(raw[i*labelSize+8:]),
		}
	}
	return ls
}
