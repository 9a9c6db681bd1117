package event

import (
	"bytes"
	"strconv"
)

// CheckNumber refuses the token of a JSON number that would become another's key. A token without '.', 'e' and 'E' keeps all its
// digits. Any other is a double, in the shortest form or printed with more digits: 0.1, 1e23 and 0.10000000000000001 are; of
// 9007199254740993.0, 0.12345678901234567890 and 1e-400 a double holds only a neighbour, and of 1e309 not even that.
func CheckNumber(token string) error {
	s := scanner{data: []byte(token)}
	text, err := s.number()
	if err == nil {
		err = s.end()
	}
	if err == nil {
		_, err = appendToken(nil, text, false)
	}
	if err != nil {
		return asError(err)
	}
	return nil
}

// maxPrinted is over how many digits a double has when it is written out whole.
const maxPrinted = 800

// appendToken writes a number's token. Exact takes only what has the value of the double's shortest form: of two decimals that
// differ, say of a type of exact decimals, at most one is a key. Else a double may be printed with more digits, as other
// languages do.
func appendToken(dst, token []byte, exact bool) ([]byte, error) {
	if !bytes.ContainsAny(token, ".eE") {
		if string(token) == "-0" {
			token = token[1:]
		}
		return append(dst, token...), nil
	}
	f, err := strconv.ParseFloat(string(token), 64)
	if err != nil {
		return nil, invalid("", "the number %s is beyond a double; write it as text", clip(string(token)))
	}
	from := len(dst)
	dst = appendDouble(dst, f)
	if !sameNumber(token, dst[from:]) && (exact || !printed(token, f)) {
		return nil, invalid("", "a double can't hold the number %s: it would become %s; write it so, or as text", clip(string(token)), dst[from:])
	}
	return dst, nil
}

// printed says whether a token is a double rounded to as many digits as the token has.
func printed(token []byte, f float64) bool {
	var d decimal
	d.read(token)
	if d.digits == 0 || f == 0 {
		return false
	}
	digits := len(d.significant())
	return digits <= maxPrinted && sameNumber(token, strconv.AppendFloat(nil, f, 'e', digits-1, 64))
}

// sameNumber compares what two tokens say, digit by digit.
func sameNumber(token, other []byte) bool {
	var a, b decimal
	a.read(token)
	b.read(other)
	if a.digits == 0 || b.digits == 0 {
		return a.digits == b.digits
	}
	return a.negative == b.negative && a.exponent == b.exponent && bytes.Equal(a.significant(), b.significant())
}

// decimal is a number's token taken apart.
type decimal struct {
	text     []byte // without sign and exponent
	digits   int    // how much of text counts, up to the last digit that is not 0; 0 where all are
	exponent int    // of ten, where the point stands before the first digit that is not 0
	negative bool
}

// maxExponent is far over what tokens of doubles can have, and far below an overflow.
const maxExponent = 1 << 30

func (d *decimal) read(token []byte) {
	if token[0] == '-' {
		d.negative, token = true, token[1:]
	}
	exponent := 0
	if e := bytes.IndexAny(token, "eE"); e >= 0 {
		exponent = readExponent(token[e+1:])
		token = token[:e]
	}
	d.text = token
	point, first := len(token), 0
	for i, c := range token {
		switch {
		case c == '.':
			point = i
		case c != '0':
			if d.digits == 0 {
				first = i
			}
			d.digits = i + 1
		}
	}
	d.exponent = exponent + point - first
	if first > point {
		d.exponent++ // the point is no digit
	}
}

func readExponent(text []byte) (n int) {
	sign := 1
	if text[0] == '-' || text[0] == '+' {
		if text[0] == '-' {
			sign = -1
		}
		text = text[1:]
	}
	for _, c := range text {
		n = min(n*10+int(c-'0'), maxExponent)
	}
	return sign * n
}

// significant are the digits that count, without the point.
func (d *decimal) significant() []byte {
	return bytes.TrimLeft(bytes.Replace(d.text[:d.digits], []byte{'.'}, nil, 1), "0")
}
