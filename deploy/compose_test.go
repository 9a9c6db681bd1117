package deploy

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = ".."

// load reads the Compose file as `docker compose` would with these variables, all profiles on.
func load(tb testing.TB, env ...string) *types.Project {
	tb.Helper()
	p, err := read(tb.Context(), filepath.Join(root, "docker-compose.yml"), env...)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func read(ctx context.Context, file string, env ...string) (*types.Project, error) {
	folder, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	options, err := cli.NewProjectOptions([]string{file}, cli.WithWorkingDirectory(folder), cli.WithEnv(env),
		cli.WithProfiles([]string{"*"}), cli.WithResolvedPaths(true), cli.WithNormalization(true), cli.WithConsistency(true))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(ctx)
}

// once says of a service that it does its work and ends: others wait for its success.
func once(p *types.Project, name string) bool {
	for _, s := range p.Services {
		if s.DependsOn[name].Condition == types.ServiceConditionCompletedSuccessfully {
			return true
		}
	}
	return false
}

// tool says of a service that it runs only when it is asked for.
func tool(s types.ServiceConfig) bool { return len(s.Profiles) > 0 }

// source is what the repository's file of that path has in it.
func source(tb testing.TB, path string) string {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

func healthTest(s types.ServiceConfig) []string {
	if s.HealthCheck == nil {
		return nil
	}
	return s.HealthCheck.Test
}
