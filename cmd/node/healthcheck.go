package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
)

// newHealthcheck asks the node on this machine whether it is ready, for container images without curl.
func newHealthcheck() *cobra.Command {
	var address, admin string
	var lease bool
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the node at --http whether it is ready; exit code 0 when it is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.FromEnv(cmd.Flags(), os.Getenv); err != nil {
				return cli.Exit(cli.CodeUsage, err)
			}
			if admin != "" {
				return healthcheck(cmd.Context(), "--admin", admin, lease)
			}
			return healthcheck(cmd.Context(), "--http", address, lease)
		},
	}
	cmd.Flags().StringVar(&address, "http", defaultHTTP, "address of the node")
	cmd.Flags().StringVar(&admin, "admin", "", "admin address of the node, which is asked instead where it has one")
	cmd.Flags().BoolVar(&lease, "lease", false, "also require that the node holds its lease")
	return cmd
}

func healthcheck(ctx context.Context, flag, address string, lease bool) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return cli.Usagef("%s %q: want host:port: %w", flag, address, err)
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	url := "http://" + net.JoinHostPort(host, port) + "/readyz"
	if lease {
		url += "?lease=1"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s: %s", res.Status, strings.TrimSpace(string(body)))
	}
	return nil
}
