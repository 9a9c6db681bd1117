package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// database is a node's client of the truth.
type database struct {
	client *http.Client
	// lie is how often of a million loads an older version is brought than the database has: a fault the judge has to find.
	lie int
}

func newDatabase(socket string, lie int) *database {
	return &database{lie: lie, client: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
		MaxIdleConnsPerHost: 64,
	}}}
}

// rows reads the versions of keys as they are at some moment of the call.
func (db *database) rows(ctx context.Context, keys ...int) (map[int]row, error) {
	texts := make([]string, len(keys))
	for i, k := range keys {
		texts[i] = strconv.Itoa(k)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://database/"+strings.Join(texts, ","), http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := db.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	versions := strings.Split(string(body), ",")
	if res.StatusCode != http.StatusOK || len(versions) != len(keys) {
		return nil, fmt.Errorf("database: %s: %s", res.Status, body)
	}
	rows := make(map[int]row, len(keys))
	for i, k := range keys {
		v, err := strconv.ParseInt(versions[i], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("database: %w", err)
		}
		if v > 1 && rand.IntN(1_000_000) < db.lie {
			v--
		}
		rows[k] = row{k, v}
	}
	return rows, nil
}
