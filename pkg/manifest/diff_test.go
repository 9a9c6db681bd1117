package manifest

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestADiffShowsWhatAnApplyWouldChange(t *testing.T) {
	t.Parallel()
	old := Object{
		APIVersion: "v1", Kind: "K", Metadata: Metadata{Name: "x", Namespace: "y", UID: "u", ResourceVersion: "1", Generation: 1, Labels: map[string]string{"team": "a"}},
		Spec: json.RawMessage(`{"b":9007199254740993,"list":["no","1e3"]}`), Status: json.RawMessage(`{"x":1}`),
	}
	same := old
	same.Metadata.UID, same.Metadata.ResourceVersion, same.Status = "", "9", nil
	if got := diffText(old, same); got != "" {
		t.Errorf("what a store makes is no change:\n%s", got)
	}
	changed := old
	changed.Spec = json.RawMessage(`{"b":9007199254740992,"list":["no","1e3"]}`)
	const want = `--- stored  K y/x
+++ applied K y/x
@@ -6,7 +6,7 @@
   labels:
     team: a
 spec:
-  b: 9007199254740993
+  b: 9007199254740992
   list:
     - "no"
     - "1e3"
`
	if got := diffText(old, changed); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := diffText(Object{}, old); !strings.HasPrefix(got, "--- stored  K y/x\n+++ applied K y/x\n@@ -0") {
		t.Errorf("a new object:\n%s", got)
	}
	if got := diffText(old, Object{}); got == "" || diffText(Object{}, Object{}) != "" {
		t.Errorf("no object:\n%s", got)
	}
}
