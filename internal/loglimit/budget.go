package loglimit

import (
	"log/slog"
	"sync"
	"time"
)

// Bounds of a minute. Debug lines have a budget of their own: whoever asks for them wants them.
const (
	messageMost = 30   // lines of one message, and as many at once after a rest
	allMost     = 300  // lines of all
	debugMost   = 3000 // debug lines of all, and of one message
	tableMost   = 256  // messages that are told apart; further ones share
)

// budget is how much may still be logged.
type budget struct {
	mu         sync.Mutex // guards what follows
	all, debug bucket
	of         map[string]*message
}

// message is what is kept of one message.
type message struct {
	bucket
	suppressed uint64 // since its last line
}

// bucket is a token bucket of most a minute.
type bucket struct {
	used float64
	at   time.Time
}

func (k *bucket) may(most float64, now time.Time) bool {
	if past := now.Sub(k.at); past > 0 {
		k.used, k.at = max(k.used-most*past.Minutes(), 0), now
	}
	return most-k.used >= 1
}

func newBudget() *budget { return &budget{of: make(map[string]*message)} }

// take says whether a line may be written, and how many of its message were kept back since the last one.
func (b *budget) take(text string, level slog.Level, now time.Time) (ok bool, suppressed uint64) {
	all, most, each := &b.all, float64(allMost), float64(messageMost)
	if level < slog.LevelInfo {
		all, most, each = &b.debug, debugMost, debugMost
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.of[text]; !known && len(b.of) >= tableMost {
		text = ""
	}
	m := b.of[text]
	if m == nil {
		m = &message{}
		b.of[text] = m
	}
	if !m.may(each, now) || !all.may(most, now) {
		m.suppressed++
		return false, 0
	}
	m.used++
	all.used++
	suppressed, m.suppressed = m.suppressed, 0
	return true, suppressed
}

// kept is how many lines were kept back and not told of, and the message with most of them. From now on they are told of.
func (b *budget) kept() (n uint64, most string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var highest uint64
	for text, m := range b.of {
		n += m.suppressed
		if m.suppressed > highest {
			highest, most = m.suppressed, text
		}
		m.suppressed = 0
	}
	return n, most
}
