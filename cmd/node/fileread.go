package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"time"
	"unicode/utf8"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// fileRead is the memoized function over --files; a file's tag is file:<path>, so that a folder is a prefix.
const fileRead event.Name[string] = "file.read"

// file is what file.read returns.
type file struct {
	Path     string `json:"path" msgpack:"path"`
	Size     int64  `json:"size" msgpack:"size"`
	ModTime  string `json:"modTime" msgpack:"modTime"` // RFC 3339, UTC
	SHA256   string `json:"sha256" msgpack:"sha256"`
	Encoding string `json:"encoding" msgpack:"encoding"` // utf-8, or base64 for anything else
	Content  string `json:"content" msgpack:"content"`
}

// load is the loader of file.read. It names its tags before it looks, so that an answer of "no such file" can be
// forgotten by them as well, and the names a symbolic link leads through, since either may be announced.
func (f *folder) load(ctx context.Context, name string) (file, error) {
	if fs.ValidPath(name) {
		lethe.AddTags(ctx, "file:"+name)
	}
	names, err := f.resolve(name)
	for _, n := range names[min(1, len(names)):] {
		lethe.AddTags(ctx, "file:"+n)
	}
	if err != nil {
		return file{}, err
	}
	data, info, err := f.read(name)
	if err != nil {
		return file{}, err
	}
	sum := sha256.Sum256(data)
	out := file{
		Path: name, Size: int64(len(data)), ModTime: info.ModTime().UTC().Format(time.RFC3339Nano),
		SHA256: hex.EncodeToString(sum[:]), Encoding: "utf-8", Content: string(data),
	}
	if !utf8.Valid(data) {
		out.Encoding, out.Content = "base64", base64.StdEncoding.EncodeToString(data)
	}
	return out, nil
}

// memoizeFiles registers file.read. That a file does not exist is remembered, and forgotten, like its content.
func memoizeFiles(n *lethe.Node, f *folder, ttl time.Duration) function {
	read := lethe.Memoize(n, fileRead, f.load, lethe.WithTTL(ttl), lethe.WithNegative(ttl, fs.ErrNotExist))
	return unary[string, file]{fileRead, read, "path"}
}
