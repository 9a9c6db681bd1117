package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// deadAddress is what servers tell others of themselves: nothing listens there, so a route stands only where it was configured,
// through the proxies.
const deadAddress = "127.0.0.1:1"

// serve is the process of one NATS server of the cluster. It says "ready" and runs until it is killed.
func serve(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	name := flags.String("name", "", "of the server")
	dir := flags.String("dir", "", "of its store")
	port := flags.Int("port", 0, "of clients")
	cluster := flags.Int("cluster", 0, "port of routes")
	routes := flags.String("routes", "", "host:port of the others, with commas")
	logFile := flags.String("log", "", "file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	opts := &server.Options{
		ServerName: *name, Host: "127.0.0.1", Port: *port, NoSigs: true,
		JetStream: true, StoreDir: *dir, JetStreamMaxStore: 2 << 30, JetStreamMaxMemory: 64 << 20,
		LogFile: *logFile, LogSizeLimit: 4 << 20, LogMaxFiles: 2, Logtime: true,
		PingInterval: 5 * time.Second, MaxPingsOut: 2, WriteDeadline: 5 * time.Second, MaxPending: 8 << 20,
		Cluster: server.ClusterOpts{
			Name: "chaos", Host: "127.0.0.1", Port: *cluster, Advertise: deadAddress, NoAdvertise: true, PoolSize: -1,
		},
	}
	for r := range strings.SplitSeq(*routes, ",") {
		u, err := url.Parse("nats-route://" + r)
		if err != nil {
			return fmt.Errorf("routes: %w", err)
		}
		opts.Routes = append(opts.Routes, u)
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	srv.ConfigureLogger()
	srv.Start()
	if !srv.ReadyForConnections(time.Minute) {
		return errors.New("the server does not take connections")
	}
	<-ctx.Done()
	srv.Shutdown()
	srv.WaitForShutdown()
	return nil
}
