package outbox_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// A process that is to be killed is this program again, told so by its environment.
func TestMain(m *testing.M) {
	if plan := os.Getenv(childPlan); plan != "" {
		os.Exit(child(plan))
	}
	goleak.VerifyTestMain(m)
}
