package cli

import (
	"net/url"
	"strings"
)

// Redact takes user, password and token out of a comma separated list of server URLs.
func Redact(servers string) string {
	list := strings.Split(servers, ",")
	for i, server := range list {
		if !strings.Contains(server, "://") {
			server = "nats://" + strings.TrimSpace(server)
		}
		u, err := url.Parse(strings.TrimSpace(server))
		if err != nil {
			list[i] = "(unreadable address)"
			continue
		}
		u.User = nil
		list[i] = u.String()
	}
	return strings.Join(list, ",")
}

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
