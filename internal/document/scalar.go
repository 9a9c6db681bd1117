package document

import (
	"fmt"
	"strconv"
	"strings"
)

// plain is the JSON of a plain scalar (one without quotes and tag), by YAML's core schema; text when it is none of null,
// true, false and a number. The error is a reason.
func plain(s string) (json string, text bool, err error) {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return "null", false, nil
	case "true", "True", "TRUE":
		return "true", false, nil
	case "false", "False", "FALSE":
		return "false", false, nil
	}
	n := strings.TrimLeft(s, "+-")
	sign := s[:len(s)-len(n)]
	if len(sign) > 1 || n == "" {
		return "", true, nil
	}
	switch n {
	case ".inf", ".Inf", ".INF":
		return "", false, fmt.Errorf("%s can't be said in JSON; use a number, or put it in quotes", s)
	case ".nan", ".NaN", ".NAN":
		if sign == "" {
			return "", false, fmt.Errorf("%s can't be said in JSON; use a number, or put it in quotes", s)
		}
	}
	if rest, found := strings.CutPrefix(n, "0x"); found && of(rest, "0123456789abcdefABCDEF") {
		return "", false, fmt.Errorf("%s: write a number in decimal digits, or put text in quotes", clip(s))
	}
	if rest, found := strings.CutPrefix(n, "0o"); found && of(rest, "01234567") {
		return "", false, fmt.Errorf("%s: write a number in decimal digits, or put text in quotes", clip(s))
	}
	whole, fraction, exponent, ok := number(n)
	if !ok {
		return "", true, nil
	}
	if len(whole) > 1 && whole[0] == '0' {
		return "", false, zeros(sign, whole, whole == n)
	}
	if whole == "" {
		whole = "0"
	}
	if fraction == "." {
		fraction = ".0"
	}
	return minus(sign) + whole + fraction + exponent, false, nil
}

// zeros refuses a number with a leading zero, and names both numbers it may mean.
func zeros(sign, whole string, integer bool) error {
	octal, err := strconv.ParseUint(whole, 8, 64)
	if err != nil || !integer {
		return fmt.Errorf("%s: some readers take a number with a leading zero for octal; drop the zero, or put text in quotes", clip(sign+whole))
	}
	decimal := strings.TrimLeft(whole[:len(whole)-1], "0") + whole[len(whole)-1:]
	return fmt.Errorf("%s: some readers take a number with a leading zero for octal: write %s%d if it is octal, like the mode of a file, "+
		"%s if it is decimal, or put text in quotes", clip(sign+whole), minus(sign), octal, clip(minus(sign)+decimal))
}

// minus is a sign as JSON has it.
func minus(sign string) string { return strings.TrimPrefix(sign, "+") }

// number takes [0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)? and \.[0-9]+([eE][-+]?[0-9]+)? apart.
func number(s string) (whole, fraction, exponent string, ok bool) {
	rest := strings.TrimLeft(s, "0123456789")
	whole = s[:len(s)-len(rest)]
	if strings.HasPrefix(rest, ".") {
		after := strings.TrimLeft(rest[1:], "0123456789")
		fraction, rest = rest[:len(rest)-len(after)], after
	}
	if whole == "" && len(fraction) < 2 {
		return "", "", "", false
	}
	if rest == "" {
		return whole, fraction, "", true
	}
	if rest[0]|0x20 != 'e' {
		return "", "", "", false
	}
	digits := rest[1:]
	if digits != "" && (digits[0] == '+' || digits[0] == '-') {
		digits = digits[1:]
	}
	return whole, fraction, rest, of(digits, "0123456789")
}

func of(s, set string) bool { return s != "" && strings.Trim(s, set) == "" }
