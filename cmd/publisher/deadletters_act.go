package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/internal/bus"
)

// letterChoice says which letters are meant: those of these sequences, or all.
type letterChoice struct {
	sequences []uint64
	all       bool
	receiver  string
}

func chooseLetters(args []string, all bool, receiver string) (letterChoice, error) {
	c := letterChoice{all: all, receiver: receiver}
	if all == (len(args) > 0) {
		return c, cli.Usagef("which letters? Give their sequences, as 'deadletters list' shows them, or --all")
	}
	for _, arg := range args {
		n, err := strconv.ParseUint(arg, 10, 64)
		if err != nil || n == 0 {
			return c, cli.Usagef("%q is no sequence of a letter: 'deadletters list' shows them", plain(arg))
		}
		c.sequences = append(c.sequences, n)
	}
	slices.Sort(c.sequences)
	c.sequences = slices.Compact(c.sequences)
	return c, nil
}

// find returns the letters that are meant; one that is not there is an error, and nothing is done.
func (c letterChoice) find(ctx context.Context, nc *nats.Conn, fleet string) ([]bus.Letter, error) {
	if _, err := bus.InspectDead(ctx, nc, fleet); err != nil {
		return nil, err
	}
	var found []bus.Letter
	if c.all {
		err := bus.Letters(ctx, nc, fleet, c.receiver, 0, func(l bus.Letter) bool {
			found = append(found, l)
			return true
		})
		return found, err
	}
	for _, sequence := range c.sequences {
		there := false
		err := bus.Letters(ctx, nc, fleet, c.receiver, sequence, func(l bus.Letter) bool {
			if there = l.Sequence == sequence; there {
				found = append(found, l)
			}
			return false
		})
		if err != nil {
			return nil, err
		}
		if !there {
			of := ""
			if c.receiver != "" {
				of = " of " + plain(c.receiver)
			}
			return nil, fmt.Errorf("there is no letter %d%s: nothing was done; 'deadletters list' shows which there are", sequence, of)
		}
	}
	return found, nil
}

func newRedrive(o *options, receiver *string) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "redrive SEQUENCE… | --all",
		Short: "Have the receiver called with these letters again; nobody else hears of it, and no cache forgets anything",
		Long: "Have the receiver called with these letters again; nobody else hears of it, and no cache forgets anything.\n\n" +
			"The call is ordered and made by a node that registers the receiver, as soon as there is one, with as many tries as ever. A letter is\n" +
			"removed when the receiver has succeeded with it: 'deadletters list' shows what is left. A letter that is ordered twice before that is\n" +
			"made once.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := chooseLetters(args, all, *receiver)
			if err != nil {
				return err
			}
			var redrives *bus.Redrives
			return o.onLetters(cmd, c, "ordered", func(ctx context.Context, nc *nats.Conn, l bus.Letter) error {
				if redrives == nil {
					redrives = bus.NewRedrives(nc, o.fleet)
				}
				return redrives.Order(ctx, l)
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all letters, or all of --receiver")
	return cmd
}

func newDrop(o *options, receiver *string) *cobra.Command {
	var all, yes bool
	cmd := &cobra.Command{
		Use:   "drop SEQUENCE… | --all --yes",
		Short: "Remove these letters for good",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := chooseLetters(args, all, *receiver)
			if err != nil {
				return err
			}
			if all && !yes {
				return cli.Usagef("--all removes every letter for good: add --yes")
			}
			return o.onLetters(cmd, c, "dropped", func(ctx context.Context, nc *nats.Conn, l bus.Letter) error {
				_, err := bus.DropLetter(ctx, nc, o.fleet, l.Sequence)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all letters, or all of --receiver")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask for more")
	return cmd
}

// onLetters does something with each of the letters and prints with which it was done, also when it failed with one.
func (o *options) onLetters(cmd *cobra.Command, c letterChoice, done string, work func(context.Context, *nats.Conn, bus.Letter) error) error {
	return o.briefly(cmd, func(ctx context.Context, nc *nats.Conn) error {
		letters, err := c.find(ctx, nc, o.fleet)
		if err != nil {
			return err
		}
		result := map[string][]uint64{done: {}}
		rows, names := []string{"LETTER\tRECEIVER\tDONE"}, []string{}
		for _, l := range letters {
			if err = work(ctx, nc, l); err != nil {
				err = fmt.Errorf("letter %d: %w", l.Sequence, err)
				break
			}
			result[done] = append(result[done], l.Sequence)
			names = append(names, strconv.FormatUint(l.Sequence, 10))
			rows = append(rows, names[len(names)-1]+"\t"+plain(l.Receiver)+"\t"+done)
		}
		if printed := o.output.print(cmd.OutOrStdout(), result, rows, names...); err == nil {
			err = printed
		}
		return err
	})
}
