package deploy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// healthy waits until the service's own check says so.
func (t *topology) healthy(name string) {
	t.tb.Helper()
	eventually(t.tb, name+" is healthy", func() error {
		select {
		case <-t.running[name].gone:
			t.tb.Fatalf("%s has ended: %v\n%s", name, t.running[name].err, t.running[name].out.tail())
		default:
		}
		return t.check(name)
	})
}

// check does once what the engine would do again and again.
func (t *topology) check(name string) error {
	h := t.project.Services[name].HealthCheck
	ctx, cancel := context.WithTimeout(t.tb.Context(), max(time.Duration(*h.Timeout), patience/4)) // a container's check is late on a slow machine; here it is not killed
	defer cancel()
	command := h.Test[1:]
	switch filepath.Base(command[0]) {
	case "wget": // BusyBox's, which is in the server's image and perhaps not here: what it does with these arguments
		url, quiet := command[len(command)-1], []string{"wget", "-q", "-O", "/dev/null"}
		if !slices.Equal(command[:len(command)-1], quiet) {
			return fmt.Errorf("%q: want %q and an address", command, quiet)
		}
		return fetch(ctx, t.here(name, url))
	case "pg_isready":
		bin, err := postgresPrograms()
		if err != nil {
			return err
		}
		command = append([]string{filepath.Join(bin, command[0])}, command[1:]...)
		for i := range command {
			command[i] = t.here(name, command[i])
		}
	default:
		command = t.command(name, command)
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = t.env(name)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%q: %w: %s", command, err, out)
	}
	return nil
}

func fetch(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := httpClient().Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return nil
}

// httpClient keeps no connection: its servers are killed.
func httpClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}
