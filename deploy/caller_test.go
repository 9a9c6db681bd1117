package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// answer is what a node said over HTTP.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) want(status int) error {
	switch {
	case a.status == status:
		return nil
	case a.status >= 400 && a.status < 500:
		return fmt.Errorf("%w: %d %s, want %d", errForGood, a.status, a.body, status)
	}
	return fmt.Errorf("%d %s, want %d", a.status, a.body, status)
}

// errForGood is what asking again does not change.
var errForGood = errors.New("refused")

// call asks a node where its published port leads, with the token of the secret and, if there is one, that of an event.
func (t *topology) call(node, method, path, event, body string) (answer, error) {
	secret, err := os.ReadFile(t.project.Secrets["http_token"].File)
	if err != nil {
		return answer{}, err
	}
	return t.anyone(node, method, path, body, http.Header{
		"Authorization": {"Bearer " + strings.TrimSpace(string(secret))}, "Lethe-Token": {event}, "Content-Type": {"application/yaml"},
	})
}

func (t *topology) anyone(node, method, path, body string, header http.Header) (answer, error) {
	s := t.project.Services[node]
	if len(s.Ports) != 1 {
		return answer{}, fmt.Errorf("%s publishes %v", node, s.Ports)
	}
	ctx, cancel := context.WithTimeout(t.tb.Context(), patience)
	defer cancel()
	url := "http://" + net.JoinHostPort(t.address[node], strconv.FormatUint(uint64(s.Ports[0].Target), 10)) + path
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for name, values := range header {
		if values[0] != "" {
			req.Header[name] = values
		}
	}
	res, err := httpClient().Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, strings.TrimSpace(string(data))}, err
}

// publisher is what `docker compose run --rm publisher ARG…` prints, and its exit code.
func (t *topology) publisher(args ...string) (string, int, error) {
	return t.publisherAs(nil, args...)
}

func (t *topology) publisherAs(more []string, args ...string) (string, int, error) {
	const name = "publisher"
	ctx, cancel := context.WithTimeout(t.tb.Context(), patience)
	defer cancel()
	argv := t.argv(name, args...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = root, append(t.env(name), more...) // what is mounted stands in the container's root as it does in ours
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out), exit.ExitCode(), fmt.Errorf("%q: %w: %s", args, err, exit.Stderr)
	}
	return string(out), 0, err
}

// fleet is the names of the nodes that are current.
func (t *topology) fleet() (current []string, err error) {
	out, _, err := t.publisher("nodes", "-o", "json", "--timeout", "30s")
	if err != nil {
		return nil, err
	}
	var said struct {
		Nodes []struct{ Node, State string }
	}
	if err := json.Unmarshal([]byte(out), &said); err != nil {
		return nil, err
	}
	for _, n := range said.Nodes {
		if n.State == "current" {
			current = append(current, n.Node)
		}
	}
	return current, nil
}

// cached says what a node's memory did for a function's call.
func (t *topology) cached(node, path, event string) (string, error) {
	a, err := t.call(node, http.MethodGet, path, event, "")
	if err := errors.Join(err, a.want(http.StatusOK)); err != nil {
		return "", err
	}
	var said struct{ Cache string }
	return said.Cache, json.Unmarshal([]byte(a.body), &said)
}

// apply applies manifests through a node and returns the token of what was announced.
func (t *topology) apply(node, manifests string) (string, error) {
	a, err := t.call(node, http.MethodPost, "/v1/manifests", "", manifests)
	if err != nil {
		return "", err
	}
	if a.status != http.StatusOK && a.status != http.StatusAccepted {
		return "", a.want(http.StatusOK)
	}
	var said struct{ Token, Ticket string }
	if err := json.Unmarshal([]byte(a.body), &said); err != nil {
		return "", err
	}
	for begun := time.Now(); said.Token == ""; {
		if said.Ticket == "" || time.Since(begun) > patience {
			return "", fmt.Errorf("neither token nor ticket: %s", a.body)
		}
		if a, err = t.call(node, http.MethodGet, "/v1/tickets/"+said.Ticket+"?timeout=30s", "", ""); err != nil {
			return "", err
		}
		if a.status == http.StatusOK {
			if err := json.Unmarshal([]byte(a.body), &said); err != nil {
				return "", err
			}
		}
	}
	return said.Token, nil
}
