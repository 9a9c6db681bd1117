package local

import (
	_ "github.com/allegro/bigcache/v3"
	_ "github.com/dgraph-io/ristretto/v2"
	_ "github.com/eko/gocache/lib/v4/cache"
	_ "github.com/eko/gocache/store/bigcache/v4"
	_ "github.com/golang/groupcache"
	_ "github.com/maypok86/otter/v2"
	_ "github.com/nats-io/nats-server/v2/server"
	_ "github.com/nats-io/nats.go"
	_ "github.com/redis/rueidis"
	_ "github.com/viccon/sturdyc"
	_ "github.com/vmihailenco/msgpack/v5"
)
