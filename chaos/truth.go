package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lethe-cache/lethe/chaos/judge"
)

// truth is the database: a version for each key, served over HTTP on a Unix socket to the processes of the nodes.
type truth struct {
	mu       sync.Mutex // guards versions
	versions [keysMost]int64

	server *http.Server
	done   chan struct{}
}

// serveTruth listens on the socket at path.
func serveTruth(ctx context.Context, path string) (*truth, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	t := &truth{done: make(chan struct{})}
	for k := range t.versions {
		t.versions[k] = 1
	}
	t.server = &http.Server{Handler: t, ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(t.done)
		_ = t.server.Serve(l)
	}()
	return t, nil
}

func (t *truth) close() {
	_ = t.server.Close()
	<-t.done
}

// ServeHTTP answers GET /1,2,3 with the versions of these keys, sometimes long after it has read them: a load that was overtaken
// is what an invalidation must not lose to.
func (t *truth) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var answer []string
	for text := range strings.SplitSeq(strings.TrimPrefix(r.URL.Path, "/"), ",") {
		k, err := strconv.Atoi(text)
		if err != nil || k < 0 || k >= keysMost {
			http.Error(w, "no such key", http.StatusBadRequest)
			return
		}
		answer = append(answer, strconv.FormatInt(t.version(k), 10))
	}
	var delay time.Duration
	switch p := rand.IntN(1000); {
	case p < 700:
		delay = rand.N(2 * time.Millisecond)
	case p < 990:
		delay = rand.N(40 * time.Millisecond)
	default:
		delay = rand.N(2 * time.Second)
	}
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
	}
	fmt.Fprint(w, strings.Join(answer, ","))
}

func (t *truth) version(k int) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.versions[k]
}

// commit writes new versions of keys, one after the other, and tells of each.
func (t *truth) commit(keys []int, tell func(judge.Commit)) []judge.Cover {
	var covers []judge.Cover
	for _, k := range keys {
		begin := mono()
		t.mu.Lock()
		t.versions[k]++
		c := judge.Cover{Key: k, Version: t.versions[k]}
		t.mu.Unlock()
		tell(judge.Commit{Cover: c, Begin: begin, End: mono()})
		covers = append(covers, c)
	}
	return covers
}
