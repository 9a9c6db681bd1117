package event

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxFleet    = 40
	maxFunction = 128
	maxFamily   = 63
	maxPath     = 512
	maxObject   = 253 // a DNS name
)

// CheckFleet refuses a fleet name that is not lower-case letters, digits and inner hyphens, 1 to 40 of them.
func CheckFleet(fleet string) error {
	ok := fleet != "" && len(fleet) <= maxFleet && fleet[0] != '-' && fleet[len(fleet)-1] != '-'
	for i := 0; ok && i < len(fleet); i++ {
		ok = lowerOrDigit(fleet[i]) || fleet[i] == '-'
	}
	if !ok {
		return invalid("fleet", "%q: use 1 to %d lower-case letters, digits and inner hyphens", clip(fleet), maxFleet)
	}
	return nil
}

// CheckFunction refuses a function name that is not segments of letters, digits, '_' and '-', each beginning with a
// letter and joined by dots, of at most 128 bytes: each segment is a token of a NATS subject.
func CheckFunction(name string) error {
	if legalFunction(name) {
		return nil
	}
	return invalid("function", "%q: use segments of letters, digits, '_' and '-' that begin with a letter, joined by dots, "+
		"at most %d bytes, like catalog.price", clip(name), maxFunction)
}

func legalFunction(name string) bool {
	if name == "" || len(name) > maxFunction {
		return false
	}
	begins := true
	for i := range len(name) {
		c := name[i]
		switch {
		case letter(c):
			begins = false
		case c == '.' && !begins:
			begins = true
		case begins || (!digit(c) && c != '_' && c != '-'):
			return false
		}
	}
	return !begins
}

// CheckTag refuses what is not family:path. The family is a lower-case letter and up to 62 more, digits or hyphens;
// the path is 1 to 512 bytes of UTF-8 without control characters, in which '/' separates levels.
func CheckTag(tag string) error {
	family, path, err := splitTag("tag", tag)
	if err != nil {
		return err
	}
	if path == "" {
		return invalid("tag", "%q has nothing after the colon; event.TagPrefix(%q) is the whole family", tag, family+":")
	}
	return nil
}

// CheckPrefix refuses a tag prefix that is not family: or family:path/ with the rules of CheckTag. A prefix ends in ':'
// or '/', since it covers whole levels only.
func CheckPrefix(prefix string) error {
	if _, _, err := splitTag("tagPrefix", prefix); err != nil {
		return err
	}
	if last := prefix[len(prefix)-1]; last != ':' && last != '/' {
		return invalid("tagPrefix", "%q: a prefix ends in ':' or '/' (%q covers %q and all below it)",
			clip(prefix), clip(prefix)+"/", clip(prefix))
	}
	return nil
}

// CheckKind refuses a kind that is not an upper-case letter and up to 62 more letters and digits.
func CheckKind(kind string) error {
	ok := kind != "" && len(kind) <= maxFamily && kind[0] >= 'A' && kind[0] <= 'Z'
	for i := 0; ok && i < len(kind); i++ {
		ok = letter(kind[i]) || digit(kind[i])
	}
	if !ok {
		return invalid("kind", "%q: use an upper-case letter and up to %d letters and digits, like Chatbot",
			clip(kind), maxFamily-1)
	}
	return nil
}

// splitTag checks all but the path's end, in which tags and prefixes differ.
func splitTag(field, s string) (family, path string, err error) {
	family, path, found := strings.Cut(s, ":")
	switch {
	case !found:
		return "", "", invalid(field, "%q has no colon: use family:path, like user:42", clip(s))
	case !legalFamily(family):
		return "", "", invalid(field, "%q: the part before the colon is a lower-case letter and up to %d lower-case letters, "+
			"digits and hyphens", clip(s), maxFamily-1)
	case len(path) > maxPath:
		return "", "", invalid(field, "%q: the part after the colon has %d bytes, at most %d are allowed", clip(s), len(path), maxPath)
	case !plainText(path):
		return "", "", invalid(field, "%q: the part after the colon has to be UTF-8 without control characters", clip(s))
	}
	return family, path, nil
}

func legalFamily(s string) bool {
	if s == "" || len(s) > maxFamily || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !lowerOrDigit(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

// checkObject takes DNS labels and subdomains, which is what manifest names and namespaces are, with _ inside of a label.
func checkObject(field, s string) error {
	ok := s != "" && len(s) <= maxObject
	for label := range strings.SplitSeq(s, ".") {
		ok = ok && label != "" && len(label) <= 63 && lowerOrDigit(label[0]) && lowerOrDigit(label[len(label)-1])
		for i := 0; ok && i < len(label); i++ {
			ok = lowerOrDigit(label[i]) || label[i] == '-' || label[i] == '_'
		}
	}
	if !ok {
		return invalid(field, "%q: use lower-case letters, digits, and - and _ between them, like helper, my_bot or bots.acme", clip(s))
	}
	return nil
}

// plainText is UTF-8 without control characters.
func plainText(s string) bool {
	ascii := true
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return false
		}
		ascii = ascii && s[i] < utf8.RuneSelf
	}
	return ascii || (utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0)
}

func letter(c byte) bool       { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func digit(c byte) bool        { return c >= '0' && c <= '9' }
func lowerOrDigit(c byte) bool { return c >= 'a' && c <= 'z' || digit(c) }
