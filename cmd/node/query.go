package main

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// wellFormed refuses a query string that does not parse. Request.URL.Query drops what it can't read, so that
// "?dryRun=true;x" would be a request without dryRun.
func wellFormed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
			writeError(w, bad(http.StatusBadRequest, "query", "the query string can't be read: %v; write ';' as %%3B and '%%' as %%25", err))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// taking passes requests on to h whose query string has no parameters but the known ones, each of them once and with a value.
// Every handler below /v1/ is behind it or behind arguments: what is misspelt there must not mean "no such wish".
func taking(h http.HandlerFunc, known ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := checkParameters(r.URL.Query(), known...); err != nil {
			writeError(w, err)
			return
		}
		h(w, r)
	}
}

// checkParameters refuses parameters that are not known, repeated or empty.
func checkParameters(q url.Values, known ...string) error {
	names := make([]string, 0, len(q))
	for name := range q {
		names = append(names, name)
	}
	slices.Sort(names) // the same request gets the same answer
	for _, name := range names {
		switch values := q[name]; {
		case !slices.Contains(known, name) && len(known) == 0:
			return bad(http.StatusBadRequest, name, "no such parameter: this request takes none")
		case !slices.Contains(known, name):
			return bad(http.StatusBadRequest, name, "no such parameter here: there are %q", known)
		case len(values) > 1:
			return bad(http.StatusBadRequest, name, "is given %d times: give it once", len(values))
		case values[0] == "":
			return bad(http.StatusBadRequest, name, "has no value: give one, or leave %s out", name)
		}
	}
	return nil
}

// truth is a parameter that is true or false; false where it is left out.
func truth(q url.Values, name string) (bool, error) {
	if !q.Has(name) {
		return false, nil
	}
	yes, err := strconv.ParseBool(q.Get(name))
	if err != nil {
		return false, bad(http.StatusBadRequest, name, "%q: want true or false", q.Get(name))
	}
	return yes, nil
}
