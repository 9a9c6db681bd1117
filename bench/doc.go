// Command bench measures Lethe beside its peers, in rounds that alternate, and writes raw data, tables and charts.
//
//	go run . [-quick] [-only REGEXP] [-rounds N] [-to DIR] [-list]
//	go run . -draw [-to DIR]            // tables and charts anew, from the raw data that is there
//	go run . -manifests sqlite,postgres://…
//	go run . -cached 1000000
//
// raw.txt has every sample in the format of Go's benchmarks, so that benchstat compares two runs; results.md has the tables;
// a chart of each question stands beside it. What every figure means, also where a peer is faster, stands in
// docs/performance.md. It needs a redis-server on the PATH, or LETHE_BENCH_REDIS=host:port.
package main
