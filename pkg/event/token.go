package event

import (
	"strconv"
	"strings"
)

const tokenMark = "lethe1"

// Token is a position in a fleet's stream. The zero Token is "nothing to wait for". Its text is opaque to users and safe
// in an HTTP header.
type Token struct {
	fleet, epoch string
	seq          uint64
}

// NewToken is the position seq in the stream that the epoch identifies, as the stream's metadata has it. It takes what it
// is given; ParseToken is what checks.
func NewToken(fleet, epoch string, seq uint64) Token {
	return Token{fleet: fleet, epoch: epoch, seq: seq}
}

// ParseToken reads a token's text; "" is the zero Token. The error wraps ErrInvalid.
func ParseToken(s string) (Token, error) {
	if s == "" {
		return Token{}, nil
	}
	mark, rest, _ := strings.Cut(s, ".")
	fleet, rest, _ := strings.Cut(rest, ".")
	epoch, digits, found := strings.Cut(rest, ".")
	if mark != tokenMark || !found || CheckFleet(fleet) != nil || !legalEpoch(epoch) {
		return Token{}, badToken(s)
	}
	seq, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || strconv.FormatUint(seq, 10) != digits { // one text a token: no signs, no leading zeros
		return Token{}, badToken(s)
	}
	return Token{fleet: fleet, epoch: epoch, seq: seq}, nil
}

func badToken(s string) error {
	return invalid("token", "%q: use a token as an invalidation returned it, lethe1.<fleet>.<epoch>.<sequence>", clip(s))
}

func legalEpoch(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		if !letter(s[i]) && !digit(s[i]) && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return true
}

// Fleet is whose stream it is.
func (t Token) Fleet() string { return t.fleet }

// Epoch is the stream's identity.
func (t Token) Epoch() string { return t.epoch }

// Sequence is the position in it.
func (t Token) Sequence() uint64 { return t.seq }

// IsZero says that there is nothing to wait for.
func (t Token) IsZero() bool { return t == Token{} }

// String is the token's text, "" for the zero Token.
func (t Token) String() string {
	if t.IsZero() {
		return ""
	}
	return tokenMark + "." + t.fleet + "." + t.epoch + "." + strconv.FormatUint(t.seq, 10)
}

// MarshalText is String.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText is ParseToken.
func (t *Token) UnmarshalText(text []byte) error {
	parsed, err := ParseToken(string(text))
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}
