package sim

// climate is what can happen in a run, how often, and with which bounds. Every seed has its own: some are calm, some wild.
type climate struct {
	names *names

	nodes     int
	staleness int64
	backlog   uint64
	held      int
	reorder   int64
	buffer    int // messages in the client
	queue     int // and in the bus
	fetch     int // of one Direct Get

	slots     int
	maxLabels int
	maxTTL    int64
	maxLoad   int64
	functions [2]struct{ ttl, stale, limit int64 }
	ahead     float64
	rate      float64
	widen     bool
	circles   bool
	rows      int // that are asked for and changed from outside
	compounds int // and compounds

	pace      int64 // between two things of the workload, on average
	horizon   int64
	stalls    int // chances of ten thousand
	slow      int
	errors    int
	impatient int
	softs     int
	work      [works]int // weights
	trouble   [troubles]int
	quiet     int64 // between two faults, on average
}

func newClimate(seed uint64, v *names) *climate {
	r := rnd{mix(seed, 1)}
	pick := func(of ...int64) int64 { return of[r.below(len(of))] }
	c := &climate{names: v}
	c.nodes = 2 + r.below(3)
	c.staleness = pick(5, 5, 6, 10) * sec
	c.backlog = uint64(pick(1, 2, 4, 100_000))
	c.held = int(pick(2, 8, 100))
	c.reorder = pick(1, 20, 20, 50) * msec
	c.buffer = int(pick(4, 64, 1024))
	c.queue = int(pick(2, 8, 64, 1024))
	c.fetch = int(pick(2, 4, 16, 512))
	c.slots = int(pick(1, 4, 64, 1024))
	c.maxLabels = int(pick(24, 100, 1<<20))
	c.maxTTL = pick(2, 6, 20, 60) * sec
	c.maxLoad = pick(1, 2, 8, 15) * sec
	for i := range c.functions {
		f := &c.functions[i]
		f.ttl = c.maxTTL / pick(1, 2, 4)
		f.stale = pick(0, 0, 1, 4) * sec
		f.limit = pick(0, 0, 0, 2, 8) * sec
	}
	c.ahead = float64(pick(0, 0, 5, 8)) / 10
	c.rate = float64(pick(1, 5, 50, 1000))
	c.widen = r.chance(5000)
	c.circles = r.chance(2000)
	c.rows, c.compounds = rows, parents
	if r.chance(4000) { // all meet at a few
		c.rows, c.compounds = 1+r.below(3), 1+r.below(2)
	}
	c.pace = pick(2, 5, 20, 60, 200) * msec
	c.stalls = int(pick(0, 20, 200, 1000))
	c.slow = int(pick(0, 50, 500, 3000))
	c.errors = int(pick(0, 100, 1000))
	c.impatient = int(pick(0, 100, 500))
	c.softs = int(pick(0, 1000, 4000))
	c.work = [works]int{
		workRead: int(pick(40, 60)), workTokenRead: int(pick(0, 5, 20)), workBypass: int(pick(0, 1, 5)), workMany: int(pick(0, 2, 8)),
		workWrite: int(pick(2, 8, 20)), workRelay: int(pick(0, 2, 8)), workWait: int(pick(0, 5, 15)), workEvict: int(pick(0, 1, 4)),
	}
	for i := range c.trouble {
		c.trouble[i] = int(pick(0, 0, 1, 2, 6))
	}
	c.trouble[troubleWeather] = int(pick(0, 4, 12))
	c.quiet = pick(100, 400, 1500, 5000) * msec
	if r.chance(500) {
		c.quiet = 1 << 50 // a calm sea
	}
	return c
}
