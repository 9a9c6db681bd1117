package ctl

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// headerPrefix is how the headers begin that a node knows.
const headerPrefix = "lethe-"

// requestHeaders are those that a request may have.
func requestHeaders() []string {
	return []string{ActorHeader, DryRunHeader, ReasonHeader, TimeoutHeader, TokenHeader}
}

// ReadHeaders are the headers of a request that begin with Lethe-, by the names that the constants have. NATS keeps the letter case
// that a client writes and gives the first of several values, so that "lethe-dry-run: true" would be no dry run, and of two actors
// one would count. Names are taken in any case; a header that is repeated, empty or unknown is a *Refusal that names it. An empty token
// is none.
func ReadHeaders(all map[string][]string) (map[string]string, error) {
	var (
		headers = map[string]string{}
		times   = map[string]int{}
	)
	for _, key := range slices.Sorted(maps.Keys(all)) { // the same request gets the same answer
		if len(key) < len(headerPrefix) || !strings.EqualFold(key[:len(headerPrefix)], headerPrefix) {
			continue
		}
		known := requestHeaders()
		i := slices.IndexFunc(known, func(name string) bool { return strings.EqualFold(name, key) })
		if i < 0 {
			return nil, Refuse(http.StatusBadRequest, key, "%s: is no header of a request, and nothing was done: there are %s", key, strings.Join(known, ", "))
		}
		name := known[i]
		for _, value := range all[key] {
			headers[name] = strings.TrimSpace(value)
			times[name]++
		}
		switch {
		case times[name] > 1:
			return nil, Refuse(http.StatusBadRequest, name, "%s: is given %d times, and nothing was done: give it once", name, times[name])
		case headers[name] == "" && name == TokenHeader: // of whoever has none yet
			delete(headers, name)
		case headers[name] == "":
			return nil, Refuse(http.StatusBadRequest, name, "%s: has no value, and nothing was done: give one, or leave it out", name)
		}
	}
	return headers, nil
}
