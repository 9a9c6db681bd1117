package judge

import (
	"fmt"
	"strconv"
	"strings"
)

// AppendRead appends r as a line of text, the form in which nodes report and histories are written down.
func AppendRead(dst []byte, r Read) []byte {
	dst = append(append(dst, "R "...), r.Func...)
	for _, n := range []int64{int64(r.Key), r.Begin, r.End} {
		dst = strconv.AppendInt(append(dst, ' '), n, 10)
	}
	dst = append(append(dst, ' '), r.Outcome...)
	dst = strconv.AppendInt(append(dst, ' '), r.Need, 10)
	return strconv.AppendInt(append(dst, ' '), r.Version, 10)
}

// AppendApplied appends a as a line of text.
func AppendApplied(dst []byte, a Applied) []byte {
	dst = append(append(dst, "A "...), a.How...)
	dst = strconv.AppendInt(append(dst, ' '), a.Begin, 10)
	dst = strconv.AppendInt(append(dst, ' '), a.End, 10)
	dst = append(append(dst, ' '), hardness(a.Soft)...)
	return append(append(dst, ' '), FormatCovers(a.Covers)...)
}

func hardness(soft bool) string {
	if soft {
		return "soft"
	}
	return "hard"
}

// FormatCovers writes covers as key:version, joined by commas.
func FormatCovers(covers []Cover) string {
	var b []byte
	for i, c := range covers {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(c.Key), 10)
		b = strconv.AppendInt(append(b, ':'), c.Version, 10)
	}
	return string(b)
}

// ParseCovers reads what FormatCovers wrote.
func ParseCovers(s string) ([]Cover, error) {
	var covers []Cover
	for part := range strings.SplitSeq(s, ",") {
		k, v, _ := strings.Cut(part, ":")
		key, err := strconv.Atoi(k)
		if err != nil {
			return nil, fmt.Errorf("judge: cover %q: %w", part, err)
		}
		version, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("judge: cover %q: %w", part, err)
		}
		covers = append(covers, Cover{key, version})
	}
	return covers, nil
}

// ParseRead reads a line that begins with "R ".
func ParseRead(line string) (Read, error) {
	f := strings.Fields(line)
	if len(f) != 8 || f[0] != "R" {
		return Read{}, fmt.Errorf("judge: %q is no read", line)
	}
	n, err := numbers(f[2], f[3], f[4], f[6], f[7])
	if err != nil {
		return Read{}, fmt.Errorf("judge: read %q: %w", line, err)
	}
	return Read{Func: f[1], Key: int(n[0]), Begin: n[1], End: n[2], Outcome: Outcome(f[5]), Need: n[3], Version: n[4]}, nil
}

// ParseApplied reads a line that begins with "A ".
func ParseApplied(line string) (Applied, error) {
	f := strings.Fields(line)
	if len(f) != 6 || f[0] != "A" {
		return Applied{}, fmt.Errorf("judge: %q is nothing applied", line)
	}
	n, err := numbers(f[2], f[3])
	if err != nil {
		return Applied{}, fmt.Errorf("judge: applied %q: %w", line, err)
	}
	covers, err := ParseCovers(f[5])
	return Applied{How: f[1], Begin: n[0], End: n[1], Soft: f[4] == "soft", Covers: covers}, err
}

func numbers(texts ...string) ([]int64, error) {
	ns := make([]int64, len(texts))
	for i, t := range texts {
		n, err := strconv.ParseInt(t, 10, 64)
		if err != nil {
			return nil, err
		}
		ns[i] = n
	}
	return ns, nil
}
