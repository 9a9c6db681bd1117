package main

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/lethe-cache/lethe/internal/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestItRunsOnSQLite(t *testing.T) {
	t.Setenv("DATABASE_URL", "")
	t.Setenv("NATS_URL", "")
	if err := run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestItRunsOnPostgreSQL(t *testing.T) {
	t.Setenv("DATABASE_URL", pgtest.DSN(t))
	t.Setenv("NATS_URL", "")
	if err := run(t.Context()); err != nil {
		t.Fatal(err)
	}
}
