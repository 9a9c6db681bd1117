package wire

import (
	"context"

	"github.com/lethe-cache/lethe/bench/internal/suite"
)

// rival is a contender with its listeners and its way to publish.
type rival struct {
	name    string
	kind    string // of its listeners
	prepare func(int) post
	crowd   *crowd
}

// Names of contenders that bars are about.
const (
	letheName    = "lethe"
	coreName     = "core NATS"
	core300Name  = "core NATS, 300 B"
	flushedName  = "core NATS, 300 B, flushed"
	coreKeyName  = "core NATS, a key a message"
	redisKeyName = "Redis pub/sub, a key a message"
	rawName      = "stream + RePublish"
	orderedName  = "ordered consumer"
	pushName     = "ordered consumer, push"
	redisName    = "Redis pub/sub"
	trackName    = "rueidis client-side caching"
)

// rivals brings those of the names together, with as many listeners each, and everything they need.
func rivals(ctx context.Context, e *suite.Env, listeners int, names ...string) (server *child, rs []*rival, err error) {
	server, url, err := startServer(ctx, e)
	if err != nil {
		return nil, nil, err
	}
	p, err := newPublisher(ctx, e, url)
	if err != nil {
		return nil, nil, err
	}
	first, err := gather(ctx, e, "lethe", url, listeners) // makes the stream that the others' are like
	if err != nil {
		return nil, nil, err
	}
	if err := p.weigh(ctx); err != nil {
		return nil, nil, err
	}
	if err := p.streams(ctx); err != nil {
		return nil, nil, err
	}
	first.next = 1
	known := map[string]rival{
		letheName:    {kind: "lethe", prepare: p.prepareLethe, crowd: first},
		coreName:     {kind: "core", prepare: p.prepareCore(padded(p.size), false)},
		core300Name:  {kind: "core", prepare: p.prepareCore(padded(300), false)},
		flushedName:  {kind: "core", prepare: p.prepareCore(padded(300), true)},
		coreKeyName:  {kind: "core", prepare: p.prepareCore(target, false)},
		rawName:      {kind: "republished", prepare: p.prepareStored(rawLog)},
		orderedName:  {kind: "ordered", prepare: p.prepareStored(orderLog)},
		pushName:     {kind: "ordered-push", prepare: p.prepareStored(pushLog)},
		redisName:    {kind: "redis", prepare: p.prepareRedis(padded(p.size))},
		redisKeyName: {kind: "redis", prepare: p.prepareRedis(target)},
		trackName:    {kind: "tracking", prepare: p.prepareSet},
	}
	shared := map[string]*crowd{} // two that differ by the size of messages only have the same listeners
	for _, name := range names {
		r := known[name]
		r.name = name
		if r.crowd == nil {
			r.crowd = shared[r.kind]
		}
		if r.crowd == nil {
			addr := url
			if r.kind == "redis" || r.kind == "tracking" {
				addr = e.Redis
			}
			if r.crowd, err = gather(ctx, e, r.kind, addr, listeners); err != nil {
				return nil, nil, err
			}
			shared[r.kind] = r.crowd
		}
		rs = append(rs, &r)
	}
	return server, rs, nil
}
