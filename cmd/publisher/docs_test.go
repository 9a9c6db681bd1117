package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// What a page shows of a command's output is its output. LETHE_WRITE_DOCS=1 writes it into the page instead.
func TestThePageOnSecurityShowsWhatTheCommandPrints(t *testing.T) {
	t.Parallel()
	const page = "../../docs/security.md"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	block := regexp.MustCompile("(?s)```console\n\\$ lethe-publisher ([^\n]*)\n(.*?)```")
	want := block.ReplaceAllStringFunc(string(data), func(text string) string {
		blocks++
		line := block.FindStringSubmatch(text)[1]
		code, out, words := publish(t, strings.Fields(strings.ReplaceAll(line, "'", ""))...)
		if code != 0 {
			t.Fatalf("%s: code %d: %s", line, code, words)
		}
		return "```console\n$ lethe-publisher " + line + "\n" + trimmed(out) + "```"
	})
	if blocks < 7 {
		t.Errorf("only %d outputs are shown", blocks)
	}
	if want == string(data) {
		return
	}
	if os.Getenv("LETHE_WRITE_DOCS") == "" {
		t.Fatal("docs/security.md does not show what is printed: run this test with LETHE_WRITE_DOCS=1")
	}
	if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// trimmed is text without spaces at the ends of lines.
func trimmed(text string) string {
	return regexp.MustCompile(`(?m) +$`).ReplaceAllString(text, "")
}
