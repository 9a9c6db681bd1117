package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// size is a number of bytes that reads and prints as 256MiB; KiB, MiB and GiB, or bytes without a unit.
type size int64

func units() []struct {
	name string
	n    int64
} {
	return []struct {
		name string
		n    int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}
}

func (s *size) Set(text string) error {
	number, unit := text, int64(1)
	for _, u := range units() {
		if n, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = n, u.n
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("%q is not a size: want bytes, or a number with KiB, MiB or GiB, like 256MiB", text)
	}
	*s = size(n * unit)
	return nil
}

func (s *size) String() string {
	for _, u := range units() {
		if n := int64(*s); n > 0 && n%u.n == 0 {
			return strconv.FormatInt(n/u.n, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

func (*size) Type() string { return "size" }
