package main

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/access/accesstest"
	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
)

// launch runs the program in this process and returns where it answers HTTP, and what it says.
func launch(t *testing.T, args ...string) (url string, said *cmdtest.Log) {
	t.Helper()
	root := newRoot()
	root.SetArgs(append(args, "--http", "127.0.0.1:0"))
	said = &cmdtest.Log{}
	root.SetErr(said)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- cli.Execute(ctx, root) }()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("ended with code %d: %s", code, said)
		}
	})
	address := regexp.MustCompile(`msg=serving .*http=(http://\S+)`)
	for deadline := time.Now().Add(cmdtest.Patience); time.Now().Before(deadline); <-time.After(5 * time.Millisecond) {
		if url = said.Find(address); url != "" {
			return url, said
		}
	}
	t.Fatalf("it does not serve: %s", said)
	return "", nil
}

func readyz(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(url + "/readyz?lease=1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestTheNodeLogsInByEveryWayItsFlagsKnowAndSaysWhyItCannot(t *testing.T) {
	t.Parallel()
	for _, way := range accesstest.Ways(t) {
		t.Run(way.Name, func(t *testing.T) {
			t.Parallel()
			as := []string{"--fleet", "shop", "--name", "web-1", "--nats-url", way.URL}
			url, _ := launch(t, slices.Concat(as, way.Flags)...)
			for deadline := time.Now().Add(cmdtest.Patience); ; <-time.After(20 * time.Millisecond) {
				status, body := readyz(t, url)
				if status == 200 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("not ready: %s", body)
				}
			}
			url, said := launch(t, slices.Concat(as, way.Wrong)...)
			why := regexp.MustCompile(`(?i)authorization violation|authentication|certificate|unknown authority`)
			for deadline := time.Now().Add(cmdtest.Patience); ; <-time.After(20 * time.Millisecond) {
				status, body := readyz(t, url)
				if status == 200 {
					t.Fatal("ready with the wrong credentials")
				}
				if why.MatchString(body) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("it does not say why it is not ready: %s", body)
				}
			}
			if strings.Contains(said.String(), "secret of") {
				t.Error("the log tells the password")
			}
		})
	}
}
