package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// ear listens to a node's /v1/events: a node says an event there only after it has applied it.
type ear struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex // guards what follows
	heard map[string]sound
	more  chan struct{} // closed when something was heard
}

// sound is when an event was made, by its publisher's clock, and when it was heard here.
type sound struct{ made, heard time.Time }

func newEar() *ear {
	return &ear{heard: map[string]sound{}, more: make(chan struct{}), cancel: func() {}}
}

// listen returns when the node has begun to answer.
func (e *ear) listen(ctx context.Context, address string) error {
	ctx, e.cancel = context.WithCancel(context.WithoutCancel(ctx))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/v1/events", http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req) //nolint:bodyclose // closed by the goroutine that reads it
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		_ = res.Body.Close()
		return fmt.Errorf("%s/v1/events: %s", address, res.Status)
	}
	e.done = make(chan struct{})
	go func() {
		defer close(e.done)
		defer func() { _ = res.Body.Close() }()
		id := ""
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			now := time.Now()
			if token, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				id = token
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				e.note(id, data, now)
				id = ""
			}
		}
	}()
	return nil
}

func (e *ear) note(id, data string, now time.Time) {
	var event struct {
		Time time.Time `json:"time"`
	}
	if json.Unmarshal([]byte(data), &event) != nil || id == "" {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard[id] = sound{event.Time, now}
	close(e.more)
	e.more = make(chan struct{})
}

// await returns when and how an event was heard.
func (e *ear) await(ctx context.Context, token string) (sound, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		e.mu.Lock()
		s, ok := e.heard[token]
		more := e.more
		e.mu.Unlock()
		if ok {
			return s, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return s, fmt.Errorf("event %s was not heard: %w", token, ctx.Err())
		}
	}
}

func (e *ear) stop() {
	e.cancel()
	if e.done != nil {
		<-e.done
	}
}
