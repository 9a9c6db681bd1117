package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
)

// Bounds of --http-token-file.
const (
	minToken      = 16 // 16 characters of base64 are 96 bits
	maxTokens     = 1024
	maxTokenBytes = 1 << 20
	maxTokenName  = 63
)

// tokens are what callers may send. One without a name lets in and names nobody.
type tokens struct {
	sums  [][sha256.Size]byte
	names []string
}

// readTokens reads a file of tokens: one line that is a token, or lines of name:token. Errors tell lines, never what stands there.
func readTokens(file string) (*tokens, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, cli.Exit(cli.CodeUsage, fmt.Errorf("--http-token-file: %w", err))
	}
	defer func() { _ = f.Close() }()
	wrong := func(line int, format string, args ...any) error {
		at := file
		if line > 0 {
			at = fmt.Sprintf("%s, line %d", file, line)
		}
		return cli.Usagef("--http-token-file %s: %s", at, fmt.Sprintf(format, args...))
	}
	var lines [][]byte
	var at []int
	total := 0
	in := bufio.NewScanner(f)
	for n := 1; in.Scan(); n++ {
		if total += len(in.Bytes()) + 1; total > maxTokenBytes {
			return nil, wrong(0, "has over %d bytes", maxTokenBytes)
		}
		if line := bytes.TrimSpace(in.Bytes()); len(line) > 0 {
			lines, at = append(lines, bytes.Clone(line)), append(at, n)
		}
	}
	if err := in.Err(); err != nil {
		return nil, wrong(0, "can't be read: %v", err)
	}
	t := &tokens{}
	if len(lines) == 1 && plainToken(lines[0]) {
		// A line with a colon was a token before there were names, and still is: whoever has it has the part behind the colon.
		if name, token, ok := named(lines[0]); ok {
			t.add(name, token)
			t.add(name, lines[0])
			return t, nil
		}
		t.add("", lines[0])
		return t, nil
	}
	for i, line := range lines {
		if line[0] == '#' {
			continue
		}
		name, token, ok := named(line)
		switch {
		case !ok:
			return nil, wrong(at[i], "want name:token, with a name of at most %d letters, digits, '.', '_', '@' and '-', and a token of at least %d characters "+
				"without spaces, like the output of: openssl rand -base64 32", maxTokenName, minToken)
		case t.find(token) >= 0:
			return nil, wrong(at[i], "another line has this token: give each its own, so that it is clear who calls")
		case len(t.sums) == maxTokens:
			return nil, wrong(at[i], "there are over %d tokens", maxTokens)
		}
		t.add(name, token)
	}
	if len(t.sums) == 0 {
		return nil, wrong(0, "want one line of at least %d characters without spaces, like the output of: openssl rand -base64 32; or lines of name:token", minToken)
	}
	return t, nil
}

func plainToken(token []byte) bool {
	return len(token) >= minToken && !bytes.ContainsAny(token, " \t\r\n")
}

// named takes a line of name:token apart.
func named(line []byte) (name string, token []byte, ok bool) {
	before, token, found := bytes.Cut(line, []byte(":"))
	return string(before), token, found && tokenName(string(before)) && plainToken(token)
}

func tokenName(name string) bool {
	return name != "" && len(name) <= maxTokenName && !strings.ContainsFunc(name, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("._@-", r)
	})
}

func (t *tokens) add(name string, token []byte) {
	t.sums, t.names = append(t.sums, sha256.Sum256(token)), append(t.names, name)
}

// find says which of the tokens was given, -1 for none. It takes as long whichever it is, and as long for none.
func (t *tokens) find(given []byte) int {
	sum, at := sha256.Sum256(given), -1
	for i := range t.sums {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], t.sums[i][:]), i, at)
	}
	return at
}

// who are the names, each once.
func (t *tokens) who() []string {
	all := slices.Clone(t.names)
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(name string) bool { return name == "" })
}
