package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

// startRedis starts a real server without persistence, or uses the one that LETHE_BENCH_REDIS names.
func startRedis(ctx context.Context) (addr string, stop func(), err error) {
	if addr := os.Getenv("LETHE_BENCH_REDIS"); addr != "" {
		return addr, func() {}, nil
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", nil, errors.New("redis-server was not found: install it (Debian: apt-get install redis-server), or set LETHE_BENCH_REDIS=host:port")
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr = l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(addr)
	dir, err := os.MkdirTemp("", "lethe-bench-redis")
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}
	ready := make(chan struct{})
	go func() { // reads until the server ends
		s := bufio.NewScanner(out)
		for s.Scan() {
			if strings.Contains(s.Text(), "eady to accept connections") {
				close(ready)
			}
		}
	}()
	select {
	case <-ready:
		return addr, stop, nil
	case <-time.After(20 * time.Second):
	case <-ctx.Done():
	}
	stop()
	return "", nil, fmt.Errorf("redis-server did not become ready at %s", addr)
}
