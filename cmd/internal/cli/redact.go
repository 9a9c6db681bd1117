package cli

import (
	"net/url"
	"strings"

	"github.com/lethe-cache/lethe/internal/bus"
)

// Redact takes user, password and token out of a comma separated list of server URLs.
func Redact(servers string) string { return bus.Redact(servers) }

// RedactDatabase is the address of a database without user, password and parameters, which may hold either.
func RedactDatabase(dsn string) string {
	if strings.HasPrefix(dsn, "sqlite:") {
		file, _, _ := strings.Cut(dsn, "?")
		return file
	}
	u, err := url.Parse(dsn)
	if err != nil || u.Opaque != "" {
		return "(unreadable address)"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
