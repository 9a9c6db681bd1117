package sim

// rnd is a stream of random numbers (splitmix64, Steele, Lea and Flood 2014). Each item of a plan and each machine has its own,
// so that what is left out of a plan changes little of what the rest of it does.
type rnd struct{ s uint64 }

func (r *rnd) u64() uint64 {
	r.s += 0x9e3779b97f4a7c15
	z := r.s
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number of [0, n).
func (r *rnd) below(n int) int {
	if n <= 1 {
		return 0
	}
	return int(r.u64() % uint64(n))
}

// span returns a number of [lo, hi).
func (r *rnd) span(lo, hi int64) int64 {
	if hi <= lo {
		return lo
	}
	return lo + int64(r.u64()%uint64(hi-lo))
}

// chance is true n times of ten thousand.
func (r *rnd) chance(n int) bool { return n > 0 && r.below(10_000) < n }

// unit returns a number of [0, 1).
func (r *rnd) unit() float64 { return float64(r.u64()>>11) / (1 << 53) }

// mix makes one seed of two.
func mix(a, b uint64) uint64 {
	r := rnd{a ^ b*0xd6e8feb86659fd93}
	return r.u64()
}
