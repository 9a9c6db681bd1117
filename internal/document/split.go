package document

import "strings"

// part is a piece of the text between separators, and the line its first character stands on.
type part struct {
	text  string
	line  int
	ended bool // the separator before it is "...", which ends its line but for a comment
}

// split cuts a text at lines that begin with the separators of YAML: "---" (what follows it on the line belongs to the next
// part) and "...", each followed by white space or the end. YAML allows neither within a document, and JSON can't hold
// them at the beginning of a line.
func split(text string) []part {
	var parts []part
	start, startLine, line, ended := 0, 1, 0, false
	for pos := 0; pos < len(text); {
		line++
		end := len(text)
		if i := strings.IndexByte(text[pos:], '\n'); i >= 0 {
			end = pos + i + 1
		}
		if separates(text[pos:end]) {
			parts = append(parts, part{text[start:pos], startLine, ended})
			start, startLine, ended = pos+3, line, text[pos] == '.'
		}
		pos = end
	}
	return append(parts, part{text[start:], startLine, ended})
}

func separates(line string) bool {
	if !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "...") {
		return false
	}
	return len(line) == 3 || strings.ContainsRune(" \t\r\n", rune(line[3]))
}
