package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// node is a lethe-node as its HTTP callers see it.
type node struct {
	*process
	client *http.Client
	heard  *ear
}

func newNode(p *process) *node {
	return &node{process: p, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}, heard: newEar()}
}

// close ends the process first: the ear then hears the end.
func (n *node) close() error {
	err := n.end()
	n.heard.stop()
	n.client.CloseIdleConnections()
	return err
}

// served is the answer to one read.
type served struct {
	Value struct{ Content string } `json:"value"`
	Cache string                   `json:"cache"`
}

// read asks for a file; with a token, as of that token.
func (n *node) read(ctx context.Context, name, token string) (served, error) {
	var got served
	header := http.Header{}
	if token != "" {
		header.Set("Lethe-Token", token)
	}
	err := n.call(ctx, http.MethodGet, "/v1/functions/file.read?arg="+url.QueryEscape(name), header, nil, &got)
	return got, err
}

// invalidate forgets one file everywhere, through this node, and returns the token.
func (n *node) invalidate(ctx context.Context, name string) (string, error) {
	var got struct{ Token string }
	body := map[string]any{"targets": []any{map[string]any{"function": "file.read", "args": []string{name}}}}
	err := n.call(ctx, http.MethodPost, "/v1/invalidate", nil, body, &got)
	return got.Token, err
}

// ready waits for the lease.
func (n *node) ready(ctx context.Context) error {
	return n.await(ctx, func(ctx context.Context) error { return n.call(ctx, http.MethodGet, "/readyz?lease=1", nil, nil, nil) })
}

func (n *node) call(ctx context.Context, method, path string, header http.Header, body, answer any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, n.http+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	got, _, err := do(n.client, req)
	if err != nil {
		return fmt.Errorf("%s: %w", n.name, err)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(got, answer)
}

// do sends a request; an answer other than 200 is an error with what it says.
func do(client *http.Client, req *http.Request) ([]byte, http.Header, error) {
	res, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", req.Method, req.URL.RequestURI(), res.Status, bytes.TrimSpace(text))
	}
	return text, res.Header, err
}
