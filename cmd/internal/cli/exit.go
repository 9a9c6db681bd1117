package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/internal/bus"
)

// Exit codes of both commands.
const (
	CodeOK         = 0
	CodeFailed     = 1 // anything that has no code of its own
	CodeUsage      = 2 // the command line, or a value on it, is wrong; nothing was done
	CodePending    = 3 // published, and some nodes had not applied it in time
	CodeUnknown    = 4 // no answer in time: what was asked for may have happened or not
	CodeConnection = 5 // no connection, or no permission
)

// Error is an error that knows its exit code.
type Error struct {
	Code int
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// ErrShown ends a command whose output says it all: nothing is added on standard error.
var ErrShown = errors.New("see the output")

// Exit gives err the exit code; nil stays nil.
func Exit(code int, err error) error {
	if err == nil {
		return nil
	}
	return &Error{code, err}
}

// Usagef is an error of the command line.
func Usagef(format string, args ...any) error {
	return &Error{CodeUsage, fmt.Errorf(format, args...)}
}

// Code is the exit code for err: its own, or what its cause implies. A permission counts before a timeout, since a
// server that refuses a publish says so on the side and lets the publish time out.
func Code(err error) int {
	var own *Error
	var refusal *bus.Refusal
	switch {
	case err == nil:
		return CodeOK
	case errors.As(err, &own):
		return own.Code
	case errors.As(err, &refusal) && refusal.Code == 0: // a permission
		return CodeConnection
	case errors.Is(err, nats.ErrPermissionViolation), errors.Is(err, nats.ErrAuthorization),
		errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrNoServers),
		errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrDisconnected):
		return CodeConnection
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout), errors.Is(err, bus.ErrUnknown):
		return CodeUnknown
	}
	return CodeFailed
}

// Main runs root until it is done or the process is told to end, and returns the exit code. The first signal ends root's
// context; from then on the default applies, so a second one ends the process at once.
func Main(root *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return Execute(ctx, root)
}

// Execute runs root and returns the exit code; the error goes to root's stderr. What fails before a command's own
// code has begun (a flag, the number of arguments, an unknown command) is CodeUsage.
func Execute(ctx context.Context, root *cobra.Command) int {
	root.SilenceErrors, root.SilenceUsage = true, true
	began := false
	root.InitDefaultCompletionCmd()
	for _, sub := range root.Commands() {
		needOne(sub)
	}
	speak(root)
	markBegun(root, &began)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return CodeOK
	}
	if !began && Code(err) == CodeFailed {
		err = Exit(CodeUsage, err)
	}
	if errors.Is(err, ErrShown) {
		return Code(err)
	}
	root.PrintErrln(root.Name()+":", strings.TrimPrefix(err.Error(), "lethe: "))
	code := Code(err)
	if code == CodeUsage {
		root.PrintErrf("See '%s --help'.\n", cmd.CommandPath())
	}
	return code
}

// needOne makes a command that only groups others refuse to be called alone, or with a word that is none of them: cobra prints its
// help and reports success.
func needOne(cmd *cobra.Command) {
	var names []string
	for _, sub := range cmd.Commands() {
		needOne(sub)
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	if cmd.Runnable() || len(names) == 0 {
		return
	}
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return noCommand(cmd, args[0])
		}
		return Usagef("%s needs one of %s", cmd.CommandPath(), strings.Join(names, ", "))
	}
}

func markBegun(cmd *cobra.Command, began *bool) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*began = true
			return run(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		markBegun(sub, began)
	}
}
