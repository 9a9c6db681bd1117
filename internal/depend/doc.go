// Package depend records what a computation read.
//
// Everything that can be invalidated is a [Label]: a key of a function, a function, a tag, a prefix, all. A loader gets a
// context that carries a [Record]; whatever it reads through memoized functions or brokers adds its labels there, so
// dependencies are recorded, not declared. The package knows neither caches nor brokers: it is where the two meet.
//
// It does not decide what is stale; that is package fence, which sees only the hashes.
package depend
