package manifest

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestTheManifestsOfThePageAreWhatItSays(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/manifests.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d manifests on the page", len(blocks))
	}
	s := kindOf(t, blocks[1][1])
	o, err := s.prepare(objectOf(t, blocks[0][1]))
	if err != nil {
		t.Fatal(err)
	}
	targets, err := s.stale(o)
	if got := tagsOf(targets); err != nil || got != "account:acme team:support" {
		t.Errorf("%s, %v", got, err)
	}
	references, err := s.references(o)
	if got := fmt.Sprint(references); err != nil || got != "[{Plugin acme search} {Plugin tools calendar}]" {
		t.Errorf("%s, %v", got, err)
	}
	values, err := asValues(o)
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z]+:[^`]*)` \\|").FindAllStringSubmatch(string(page), -1)
	var made []string
	for _, row := range rows {
		tm, err := parseTemplate(row[1])
		if err != nil {
			t.Fatal(err)
		}
		targets, err := tm.targets(values)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, tagsOf(targets))
	}
	const want = "account:acme|team:support/acme|plugin:acme/search plugin:acme/tools/calendar|prefix/account:acme/|report:all"
	if got := strings.Join(made, "|"); got != want {
		t.Errorf("the templates of the page make %s", got)
	}
}
