package manifest

import (
	"strings"
	"testing"
)

func TestSelectorsPickAsKubectlsDo(t *testing.T) {
	t.Parallel()
	labels := map[string]string{"a": "x", "b": "", "example.dev/c": "1.2_3"}
	for text, want := range map[string]bool{
		"":                                     true,
		"  ":                                   true,
		"a":                                    true,
		"b":                                    true,
		"d":                                    false,
		"!d":                                   true,
		"! a":                                  false,
		"a=x":                                  true,
		"a == x":                               true,
		"a=y":                                  false,
		"a!=y":                                 true,
		"a!=x":                                 false,
		"d!=x":                                 true,
		"b=":                                   true,
		"a=,b":                                 false,
		"a in (x, y)":                          true,
		"a in(y)":                              false,
		"d in (x)":                             false,
		"a notin (y)":                          true,
		"a notin (x,y)":                        false,
		"d notin (x)":                          true,
		"b in (,x)":                            true,
		"b in ()":                              true,
		"example.dev/c=1.2_3":                  true,
		"a=x,b,!d , a in (x)":                  true,
		"a=x,d":                                false,
		"in=x":                                 false,
		"notin":                                false,
		"in , in=x":                            false,
		"!in,a":                                true,
		"example.dev/c notin (1.2_3), a notin": false,
	} {
		s, err := parseSelector(text)
		if text == "example.dev/c notin (1.2_3), a notin" {
			if err == nil {
				t.Errorf("%q is taken", text)
			}
			continue
		}
		if err != nil || s.matches(labels) != want {
			t.Errorf("%q: %v, %v", text, !want, err)
		}
	}
}

func TestSelectorsAreRefusedWithThePlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a b":                     `"a b", at 3: use =`,
		"=x":                      `"=x", at 1: "" is no key of a label`,
		"a=x,":                    `"a=x,", at 5: "" is no key of a label`,
		"a=x b":                   `"a=x b", at 5: put a comma between requirements`,
		"a=-x":                    `"a=-x", at 3: "-x" is no value of a label`,
		"a in x":                  `"a in x", at 6: put the values in brackets`,
		"a in (x":                 `"a in (x", at 8: a comma or ) is missing`,
		"a in (x y)":              `"a in (x y)", at 9: a comma or ) is missing`,
		"a/b/c":                   `"a/b/c", at 1: "a/b/c" is no key of a label`,
		"a>1":                     `"a>1", at 2: use =`,
		"ä":                       `"ä", at 1: "" is no key of a label`,
		strings.Repeat("a,", 65):  `at 130: there are over 64 requirements`,
		strings.Repeat("a", 4097): "has 4097 bytes, at most 4096 are allowed",
	} {
		_, err := parseSelector(text)
		if got := refusalOf(t, err); len(got) != 1 || !strings.HasPrefix(got[0], "selector: ") || !strings.Contains(got[0], want) {
			t.Errorf("%q: %v; want %s", text, got, want)
		}
	}
}

func FuzzSelector(f *testing.F) {
	for _, s := range []string{"", "a=b", "a==b,!c", "a!=b", "a in (x,y)", "a notin (x, y) , b", "a in (", "example.dev/a", "a in (,)", "!"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSelector(text)
		if err != nil {
			if e := Problems(err); len(e) != 1 || e[0].Field != "selector" {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		for _, r := range s { // a requirement and its opposite never agree
			for _, labels := range []map[string]string{nil, {r.key: ""}, {r.key: "x"}} {
				other := r
				other.not = !r.not
				if (selector{r}).matches(labels) == (selector{other}).matches(labels) {
					t.Fatalf("%q: %+v and its opposite agree on %v", text, r, labels)
				}
			}
		}
	})
}
