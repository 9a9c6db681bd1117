package bus

import "errors"

// codes are the words for what is missing, which do not change.
//
//nolint:gochecknoglobals // a constant table
var codes = [areas]string{
	areaConn: "connection", areaInbox: "inbox", areaFeed: "feed", areaStream: "stream", areaTick: "tick", areaFetch: "fetch", areaPresence: "presence",
}

// errCatchingUp is the reason where nothing is wrong.
var errCatchingUp = errors.New("still catching up")

// Why is what keeps the bus from being ready, if it is not: a word for it, and the reason that Ready gives.
func (b *Bus) Why() (code string, why error) {
	if why = b.why.all(); why == nil {
		return "catching_up", errCatchingUp
	}
	for a := range areas {
		if b.why.get(a) != nil {
			return codes[a], why
		}
	}
	return "catching_up", why // mended in between
}
