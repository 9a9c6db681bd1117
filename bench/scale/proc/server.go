package proc

import (
	"context"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"golang.org/x/sys/unix"
)

// ServerName is the child that is a NATS server with JetStream, storing in a file.
const ServerName = "scale-nats"

// Stats is what a NATS server's process says of itself.
type Stats struct {
	URL                                string
	CPU, User                          time.Duration // of the process, since it began; and without what the system did for it
	Heap                               uint64        // what is in use after a collection; only if asked for
	Goroutines                         int
	InMsgs, OutMsgs, InBytes, OutBytes int64
	Stored                             uint64 // bytes in streams
	Messages                           uint64 // in streams
}

// Look asks a server: with Collect after a collection.
type Look struct{ Collect bool }

// Server is that child. With arguments it is one of a cluster: its name, the port of its routes, and the addresses of the others'.
func Server(ctx context.Context, args []string) error {
	dir, err := os.MkdirTemp("", "lethe-bench-nats")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	opts := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true,
	}
	if len(args) > 2 {
		if err := clustered(opts, args[0], args[1], args[2:]); err != nil {
			return err
		}
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	srv.Start()
	defer func() { srv.Shutdown(); srv.WaitForShutdown() }()
	return Serve(ctx, func(_ context.Context, q Look) (s Stats, err error) {
		for range 10 {
			if srv.ReadyForConnections(time.Second) {
				break
			}
		}
		if q.Collect {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			s.Heap = m.HeapAlloc
		}
		v, err := srv.Varz(nil)
		if err != nil {
			return s, err
		}
		z, err := srv.Jsz(nil)
		if err != nil {
			return s, err
		}
		s.URL, s.Goroutines = srv.ClientURL(), runtime.NumGoroutine()
		s.CPU, s.User = CPU()
		s.InMsgs, s.OutMsgs, s.InBytes, s.OutBytes = v.InMsgs, v.OutMsgs, v.InBytes, v.OutBytes
		s.Stored, s.Messages = z.Bytes, z.Messages
		return s, nil
	})
}

func clustered(o *server.Options, name, port string, routes []string) (err error) {
	o.ServerName = name
	o.Cluster.Name, o.Cluster.Host = "bench", "127.0.0.1"
	if o.Cluster.Port, err = strconv.Atoi(port); err != nil {
		return err
	}
	for _, r := range routes {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: r})
	}
	return nil
}

// CPU is what this process has used, and of it what was not spent in the system.
func CPU() (all, user time.Duration) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), time.Duration(u.Utime.Nano())
}
