package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
)

// ErrNoStream says that the fleet has no stream.
var ErrNoStream = errors.New("the fleet has no stream; a node that may create it or `lethe-publisher stream init` makes one")

// NoStream is ErrNoStream with the fleets that have one: of a publisher, which makes none. A typo in a fleet's name must not make a
// fleet that nobody hears.
type NoStream struct { //nolint:errname // the public name says what it is
	Fleet  string
	Fleets []string // in order, at most 16; nil where this connection may not list streams
	More   bool     // there are more than these
}

func (e *NoStream) Error() string {
	text := fmt.Sprintf("the fleet %q has no stream, and a publisher makes none: start a node of it, or run `lethe-publisher --fleet %s stream init`",
		e.Fleet, e.Fleet)
	switch {
	case e.Fleets == nil:
		return text
	case len(e.Fleets) == 0:
		return text + "; there is no fleet on this server and account"
	case e.More:
		return text + "; fleets here: " + strings.Join(e.Fleets, ", ") + " and more"
	}
	return text + "; fleets here: " + strings.Join(e.Fleets, ", ")
}

// Unwrap is ErrNoStream.
func (e *NoStream) Unwrap() error { return ErrNoStream }

// Bounds of asking which fleets there are.
const (
	fleetsMost = 16
	fleetsFor  = time.Second
)

// Fleets lists the fleets that have a stream on the server and account of nc, in order, the first 16; more says whether there are
// others. The error is what kept it from asking, a missing permission for $JS.API.STREAM.LIST among them.
func Fleets(ctx context.Context, nc *nats.Conn) (names []string, more bool, err error) {
	return fleets(ctx, nc, request)
}

func fleets(ctx context.Context, nc *nats.Conn, ask requester) (names []string, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, fleetsFor)
	defer cancel()
	var page struct {
		Total   int `json:"total"`
		Streams []struct {
			Config struct {
				Name     string   `json:"name"`
				Subjects []string `json:"subjects"`
			} `json:"config"`
		} `json:"streams"`
	}
	// The first page, of up to 256 streams, is enough for an error text.
	if err := callBy(ctx, nc, ask, "STREAM.LIST", map[string]string{"subject": event.LogSubject("*", ">")}, &page); err != nil {
		return nil, false, err
	}
	names = []string{}
	for _, s := range page.Streams {
		for _, subject := range s.Config.Subjects {
			fleet, ok := fleetOf(subject)
			if ok && event.StreamName(fleet) == s.Config.Name {
				names = append(names, fleet)
			}
		}
	}
	slices.Sort(names)
	if more = len(names) > fleetsMost || page.Total > len(page.Streams); len(names) > fleetsMost {
		names = names[:fleetsMost]
	}
	return names, more, nil
}

// fleetOf reads the fleet from the subjects that its stream has.
func fleetOf(subject string) (fleet string, ok bool) {
	head, tail, _ := strings.Cut(event.LogSubject("*", ">"), "*")
	if fleet, ok = strings.CutPrefix(subject, head); ok {
		fleet, ok = strings.CutSuffix(fleet, tail)
	}
	return fleet, ok && event.CheckFleet(fleet) == nil
}

// listed is what a bus knows of the fleets of its server.
type listed struct {
	conn uint64    // the connection that was asked
	at   time.Time // when
	no   bool      // it may not ask
	said *NoStream
}

// listEvery bounds how often a publisher without a stream asks which there are.
const listEvery = 10 * time.Second

// noStream is err, and where that is ErrNoStream what can be said of it.
func (b *Bus) noStream(ctx context.Context, err error) error {
	if !errors.Is(err, ErrNoStream) || !b.cfg.PublishOnly {
		return err
	}
	conn := connNumber(b.nc)
	if l := b.listed.Load(); l != nil && l.conn == conn && (l.no || time.Since(l.at) < listEvery) {
		return l.said
	}
	names, more, err := fleets(ctx, b.nc, b.request)
	var no *Refusal
	l := &listed{conn: conn, at: time.Now(), no: errors.As(err, &no), said: &NoStream{Fleet: b.cfg.Fleet, Fleets: names, More: more}}
	b.listed.Store(l)
	return l.said
}
