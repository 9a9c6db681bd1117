// Command node (builds and docs call it lethe-node) is a service node one can run: it memoizes the files of a folder
// through Lethe, answers over HTTP, and forgets together with its fleet.
//
// Without --nats-url it starts a NATS server in its own process, which further nodes and lethe-publisher can use:
//
//	lethe-node --fleet shop --files ./catalog
//	lethe-node --fleet shop --files ./catalog --nats-url nats://127.0.0.1:4222 --http 127.0.0.1:8081
//	curl 'http://127.0.0.1:8081/v1/functions/file.read?arg=countries/jp.json'
//	lethe-publisher --fleet shop invalidate file.read countries/jp.json
//
// It trusts whoever reaches its HTTP address unless --http-token-file is given, so without one it listens on
// loopback only; the embedded server has no users, so it listens on loopback only as well.
package main
