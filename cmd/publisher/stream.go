package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/internal/bus"
)

func newStream(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "stream", Short: "Look at the fleet's stream, or make it"}
	info := &cobra.Command{
		Use:   "info",
		Short: "Where the fleet's stream stands, and whether it is as it has to be; exit code 1 when the fleet can't work with it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.stream(cmd, func(ctx context.Context, nc *nats.Conn) (bus.StreamInfo, error) {
				return bus.Inspect(ctx, nc, o.fleet)
			})
		},
	}
	var want bus.EnsureOptions
	initialize := &cobra.Command{
		Use:   "init",
		Short: "Make the fleet's stream, or mend its configuration; what it holds stays",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if want.Replicas < 0 || want.Replicas > 5 {
				return cli.Usagef("--replicas %d: want 1 to 5, or 0 for as many as there are servers, up to 3", want.Replicas)
			}
			return o.stream(cmd, func(ctx context.Context, nc *nats.Conn) (bus.StreamInfo, error) {
				return bus.Ensure(ctx, nc, o.fleet, want)
			})
		},
	}
	flags := initialize.Flags()
	flags.IntVar(&want.Replicas, "replicas", 0, "of a stream that is made; 0: as many as there are servers, up to 3")
	flags.BoolVar(&want.Consumer, "ordered-consumer", false, "for servers and accounts that allow no RePublish: all nodes follow with --ordered-consumer")
	cmd.AddCommand(info, initialize, newPermissions(o))
	return cmd
}

// streamInfo is what both commands print.
type streamInfo struct {
	Stream   string    `json:"stream"`
	Fleet    string    `json:"fleet"`
	Epoch    string    `json:"epoch"`
	First    uint64    `json:"first"`
	Last     uint64    `json:"last"`
	Messages uint64    `json:"messages"`
	Bytes    uint64    `json:"bytes"`
	Created  time.Time `json:"created"`
	MaxAge   string    `json:"maxAge"`
	Storage  string    `json:"storage"`
	Replicas int       `json:"replicas"`
	Server   string    `json:"server"`
	Problems []string  `json:"problems"`
}

func (o *options) stream(cmd *cobra.Command, work func(context.Context, *nats.Conn) (bus.StreamInfo, error)) error {
	ctx, conn, err := o.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := o.within(ctx)
	defer cancel()
	s, err := work(ctx, conn)
	if err != nil {
		return outcome(ctx, o.noStream(ctx, conn, err))
	}
	v := streamInfo{
		Stream: s.Name, Fleet: o.fleet, Epoch: s.Epoch, First: s.First, Last: s.Last, Messages: s.State.Msgs, Bytes: s.State.Bytes,
		Created: s.Created, MaxAge: s.Config.MaxAge.String(), Storage: s.Config.Storage.String(), Replicas: s.Config.Replicas,
		Server: s.Server, Problems: []string{},
	}
	for _, p := range s.Problems {
		v.Problems = append(v.Problems, p.String())
	}
	rows := []string{
		"stream\t" + v.Stream, "epoch\t" + v.Epoch, "messages\t" + strconv.FormatUint(v.Messages, 10),
		fmt.Sprintf("sequences\t%d to %d", v.First, v.Last), "bytes\t" + strconv.FormatUint(v.Bytes, 10),
		"created\t" + v.Created.Local().Format(time.DateTime), "kept for\t" + v.MaxAge, "storage\t" + v.Storage,
		"replicas\t" + strconv.Itoa(v.Replicas), "server\t" + v.Server,
	}
	for _, p := range v.Problems {
		rows = append(rows, "problem\t"+plain(p))
	}
	return errors.Join(o.output.print(cmd.OutOrStdout(), v, rows, v.Stream), s.Fatal())
}
