package access

import (
	"strings"
	"testing"
)

func TestAKindThatIsNoKindsOwnNameIsToldWhereItStands(t *testing.T) {
	t.Parallel()
	_, err := Of(Options{Role: Editor, Fleet: "shop", Kinds: []string{"bot"}})
	if err == nil || !strings.Contains(err.Error(), `"bot"`) || !strings.Contains(err.Error(), "lethe-publisher kinds") {
		t.Error(err)
	}
}
