package document_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lethe-cache/lethe/internal/document"
)

func TestTextBehindTheEndOfADocumentIsRefusedWithItsLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"a mapping less indented":       {"  kind: Shop\n  metadata: {name: corner}\nspec:\n  open: true\n", `document 1, line 3: "spec:" stands behind the end of the document`},
		"one space less":                {"# first\n   kind: Shop\n  spec: {}\n", `document 1, line 3: "spec: {}" stands behind`},
		"a list less indented":          {" - kind: Shop\n- kind: Bank\n", `document 1, line 2: "kind: Bank" stands behind the end`},
		"two objects in flow":           {"# shops\n{kind: Shop}\n\n{kind: Bank}\n", `document 1, line 4: "{kind: Bank}" stands behind`},
		"a mapping after flow":          {"&first {kind: Shop}\nspec: 1\n", `document 1, line 2: "spec: 1" stands behind`},
		"a bracket too many":            {"# c\n{kind: Shop} }\n", "document 1, line 2: something stands behind the end"},
		"a bracket too many, on a line": {"# c\n{kind: Shop}\n\n]\n", "document 1, line 4: something stands behind the end"},
		"a directive":                   {"kind: Shop\n%YAML 1.2\n---\nkind: Bank\n", `document 1, line 2: "%YAML 1.2" stands behind`},
		"text after quoted text":        {"--- \"a\"\nkind: Shop\n", "document 1, line "},
		"text after null":               {"~\nkind: Shop\n", "document 1, line 2: "},
		"text at the root":              {"--- >\nkind of\nshop\n---\nkind: Shop\n", "document 1, line "},
		"an empty block at the root":    {"--- |\n---\nkind: Shop\n", "document 1, line 1: a document has to be an object with apiVersion, kind, metadata and spec; this one is text"},
		"a tagged null at the root":     {"--- !!null\n---\nkind: Shop\n", "document 1, line 1: a document has to be an object with apiVersion, kind, metadata and spec; this one is null"},
		"words on the line of an end":   {"kind: Shop\n... and more\n---\nkind: Bank\n", `document 2, line 2: "and more" stands behind the end of the document (...)`},
		"a field on the line of an end": {"kind: Shop\n...\tspec: {}\n", `document 2, line 2: "spec: {}" stands behind`},
		"JSON on the line of an end":    {"{\"kind\":\"Shop\"}\n... {\"kind\":\"Bank\"}\n", `document 2, line 2: "{\"kind\":\"Bank\"}" stands behind`},
		"in the second document":        {"kind: Shop\n---\n  kind: Bank\nspec: 1\n", `document 2, line 4: "spec: 1" stands behind`},
		"on a computer of old":          {"kind: Shop\r  spec: 1\r", "document 1, line 1: "},
		"a lone return and a separator": {"kind: Shop\r---\rkind: Bank\r", "document 1, line 1: is more than one document; put a line with ---"},
	} {
		docs, err := document.Read([]byte(c.text))
		if err == nil || docs != nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %q, %v\nwant %s", name, jsons(docs), err, c.want)
		}
	}
	for text, want := range map[string]string{
		"kind: Shop\n... # all\nkind: Bank\n":         `{"kind":"Shop"} {"kind":"Bank"}`,
		"  kind: Shop\n  spec: 1\n# all\n # of it\n":  `{"kind":"Shop","spec":1}`,
		"# c\n{kind: Shop} # one\n\n# that is all\n":  `{"kind":"Shop"}`,
		"kind: Shop\nspec:\n- a\n-\n- b:\n":           `{"kind":"Shop","spec":["a",null,{"b":null}]}`,
		"kind: Shop\nspec: &s\n\n# nothing\n":         `{"kind":"Shop","spec":null}`,
		"--- # one\nkind: Shop\n--- # none\n--- ~\n ": `{"kind":"Shop"}`,
	} {
		if docs, err := document.Read([]byte(text)); err != nil || jsons(docs) != want {
			t.Errorf("%q: %s, %v", text, jsons(docs), err)
		}
	}
}

func TestAValueIsTakenAsYAMLMeansItOrRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"a slash that is escaped":            {`a: "https:\/\/shop.example\/\\/"`, `{"a":"https://shop.example/\\/"}`},
		"the same in a name":                 {`"a\/b": 1`, `{"a/b":1}`},
		"an escape after another":            {`a: "\\\/\n\/"`, `{"a":"\\/\n/"}`},
		"no escape without double quotes":    {"a: b\\/c\nd: 'e\\/'\nf: |\n  g\\/\n# \\/\n", `{"a":"b\\/c","d":"e\\/","f":"g\\/\n"}`},
		"a pair of halves":                   {`a: "\ud83d\ude00 \uD834\uDD1E"`, `{"a":"😀 𝄞"}`},
		"no pair without double quotes":      {`a: \ud83d\ude00`, `{"a":"\\ud83d\\ude00"}`},
		"the character that marks":           {"a: \"\\/\ue000\\uE001\"", "{\"a\":\"/\ue000\ue001\"}"},
		"a block that ends with the text":    {"a: |\n  b", `{"a":"b\n"}`},
		"and with a line of spaces":          {"a: |\n  b\n   ", `{"a":"b\n \n"}`},
		"a block that is kept, of spaces":    {"a: |+\n   ", `{"a":"\n"}`},
		"a block that is kept, empty":        {"a: |+\n\n\nb: 1", `{"a":"\n\n","b":1}`},
		"an empty block":                     {"a: >\nb: |-\n  \n\nc: 1", `{"a":"","b":"","c":1}`},
		"a block with what looks like YAML":  {"a: |2- # why\n    b: c # d\n  - e\n\n  ! f\nb: 1", `{"a":"  b: c # d\n- e\n\n! f","b":1}`},
		"folded words":                       {"a: b\n  c # d\nb: 'e\n\n  f'\nc: \"g\\\n  h # i\"", `{"a":"b c","b":"e\nf","c":"gh # i"}`},
		"anchors with and without a value":   {"a: &x\nb: &y !!str\nc: !!str &z 1\nd: &m\n  &k e: *z\nf: [&n , *n ]", `{"a":null,"b":"","c":"1","d":{"e":"1"},"f":[null,null]}`},
		"tags over lines":                    {"a: !!str # why\n  12\nb: !<tag:yaml.org,2002:str> 3\nc: {d: !!str , e: 1}", `{"a":"12","b":"3","c":{"d":"","e":1}}`},
		"question marks":                     {"? a\n: b\n? c\n? d?\n: ?e\nf: [? h : i]", `{"a":"b","c":null,"d?":"?e","f":[{"h":"i"}]}`},
		"hashes":                             {"a: b#c\nd: [e#f, 'g'] # h\ni: \"#\"#", ""},
		"hashes that are text":               {"a: b#c\nd: [e#f, 'g', '#h'] # i\n", `{"a":"b#c","d":["e#f","g","#h"]}`},
		"the tag of text that has no name":   {"a: ! 12", `document 1, line 1: "! 12" has the tag !, which some readers pass over; leave it out, and put text in quotes`},
		"the same on quoted text":            {"a:\n  ! 'b'", `document 1, line 2: "! 'b'" has the tag !`},
		"the same on nothing":                {"a: !\nb: 1", `document 1, line 1: "!" has the tag !`},
		"the same on a mapping":              {"a: ! {b: 1}", `document 1, line 1: "! {b: 1}" has the tag !`},
		"a colon in an anchor":               {"a: &b:c d", `document 1, line 1: "&b:c d": the name of an anchor`},
		"a colon in an alias":                {"a: &b c\nd: {*b:e}", "document 1, line 2: "},
		"a question mark that touches":       {"a: [?b]", `document 1, line 1: "?b]" can't be read for certain`},
		"a question mark in a mapping":       {"a: {?b: 1}", `document 1, line 1: "?b: 1}" can't be read for certain`},
		"a comment that touches a bracket":   {"a: [b]#c", `document 1, line 1: "#c" would be a comment; put a space before # if it is one, else put the text in quotes`},
		"a color among others":               {"a: [red,#fff\n  blue]", `document 1, line 1: "#fff" would be a comment`},
		"a comment that touches quotes":      {"a: 'b'#c\n", `document 1, line 1: "#c" would be a comment`},
		"a comment that touches a block":     {"a: |#b\n  c\n", `document 1, line 1: "#b" would be a comment`},
		"half a pair in YAML":                {`a: "\ud83d"`, "document 1, line 1: is no YAML: found invalid Unicode character escape code"},
		"halves in the wrong order":          {`a: "\ude00\ud83d"`, "document 1, line 1: is no YAML: found invalid Unicode character escape code"},
		"an escape that YAML does not have":  {"a: 1\nb: \"\\q\"", "document 1, line 2: is no YAML: found unknown escape character"},
		"a control character":                {"a: 1\nb: '\x1b[31mred'\n", `document 1, line 2: has the control character U+001B, which YAML does not allow; take it out, or write \x1b in double quotes`},
		"a control character in a comment":   {"a: 1\n---\nb: 1\n# \x00\n", "document 2, line 4: has the control character U+0000"},
		"a control character of Unicode":     {"a: \u0080", "document 1, line 1: has the control character U+0080"},
		"a control character in JSON":        {"{\"a\": 1,\n\"b\": \"\x07\"}", "document 1, line 2: is no JSON: invalid character '\\a' in string literal"},
		"a mode of files":                    {"a:\n  mode: 0644", "document 1, line 2: a.mode: 0644: some readers take a number with a leading zero for octal: write 420 if it is octal, like the mode of a file, 644 if it is decimal, or put text in quotes"},
		"zeros and a sign":                   {"a: -0010", "document 1, line 1: a: -0010: some readers take a number with a leading zero for octal: write -8 if it is octal, like the mode of a file, -10 if it is decimal"},
		"two zeros":                          {"a: 00", "document 1, line 1: a: 00: some readers take a number with a leading zero for octal: write 0 if it is octal, like the mode of a file, 0 if it is decimal"},
		"a leading zero and no octal number": {"a: 089", "document 1, line 1: a: 089: some readers take a number with a leading zero for octal; drop the zero"},
	} {
		docs, err := document.Read([]byte(c.text))
		switch {
		case strings.HasPrefix(c.want, "{"):
			if err != nil || jsons(docs) != c.want {
				t.Errorf("%s:\n%s, %v\nwant\n%s", name, jsons(docs), err, c.want)
			}
		case err == nil || docs != nil || !strings.HasPrefix(err.Error(), c.want):
			t.Errorf("%s: %s, %v\nwant %s", name, jsons(docs), err, c.want)
		}
	}
}

func TestAListOfAKindIsTakenApart(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"kind: ThingList\nitems:\n- {kind: Thing}\n- kind: Thing\n---\nkind: Thing\n": `{"kind":"Thing"} {"kind":"Thing"} {"kind":"Thing"}`,
		"kind: List\nitems: []\n":                                           "",
		"kind: PriceList\nspec: {items: [1]}\n":                             `{"kind":"PriceList","spec":{"items":[1]}}`,
		"kind: PriceList\n":                                                 `{"kind":"PriceList"}`,
		"kind: Lists\nitems: []\n":                                          `{"kind":"Lists","items":[]}`,
		"kind: ThingList\nitems:\n- kind: PriceList\n  spec: {}\n":          `{"kind":"PriceList","spec":{}}`,
		"kind: ThingList\nitems: {}\n":                                      "error: document 1, line 2: items: a ThingList needs items, a list of manifests",
		"kind: ThingList\nspec: {}\nitems: []\n":                            "error: document 1, line 2: spec: is no field of a ThingList, which has items",
		"kind: ThingList\nitems:\n- kind: ThingList\n  items: []\n":         "error: document 1, line 3: items[0]: is a ThingList in a ThingList; write its items here",
		"kind: List\nitems:\n- kind: ThingList\n  items: [{}]\n":            "error: document 1, line 3: items[0]: is a ThingList in a List",
		"{\"kind\": \"ThingList\",\n\"items\": [{\"kind\": \"Thing\"}, 1]}": "error: document 1, line 2: items[1]: has to be a manifest; it is a number",
	} {
		docs, err := document.Read([]byte(text))
		if bad, refused := strings.CutPrefix(want, "error: "); refused {
			if err == nil || docs != nil || !strings.HasPrefix(err.Error(), bad) {
				t.Errorf("%q: %s, %v, want %s", text, jsons(docs), err, bad)
			}
		} else if err != nil || jsons(docs) != want {
			t.Errorf("%q: %s, %v, want %s", text, jsons(docs), err, want)
		}
	}
}

func TestATextWithoutADocumentIsToldFromOneThatIsWrong(t *testing.T) {
	t.Parallel()
	for text, empty := range map[string]bool{"": true, "# off\n---\n# off\n": true, "~": true, "...\n": true, "kind: [\n": false, "1": false, "a: 1\n b: 2\n": false} {
		if _, err := document.Read([]byte(text)); err == nil || errors.Is(err, document.ErrEmpty) != empty {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestNoWordOfATextIsLost puts words that occur once between the marks of YAML. Where the text is taken, every word is in what
// comes of it, but for those in comments.
func TestNoWordOfATextIsLost(t *testing.T) {
	t.Parallel()
	lines := rapid.SampledFrom([]string{
		"W: W\n", "W: W\n", "W:\n", "- W\n", "- W: W\n", "W: [W, W]\n", "W: {W: W}\n", "{W: W}\n", "[W]\n", "W: |\n", "W: >-\n", "'W': \"W\"\n", "W\n",
		"# W\n", "W: W # W\n", "? W\n", ": W\n", "W: &x W\n", "W: !!str W\n", "--- W\n", "---\n", "... W\n", "...\n", "~\n", "\n", "W: \"W\\/W\n",
	})
	marks := rapid.SampledFrom([]string{
		": ", ":", "- ", "[", "]", "{", "}", ", ", ",", "'", `"`, "|", ">", "#", " # ", "? ", "?", "! ", "&x ", "*x", "\n---\n", "%", "@", "`", `\`, `\/`, "\r", "\t", "\u2028", "\u0085", "~", " ",
	})
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		n := 0
		for range rapid.IntRange(1, 5).Draw(t, "lines") {
			text.WriteString(strings.Repeat(" ", rapid.SampledFrom([]int{0, 0, 0, 1, 2, 2, 4}).Draw(t, "indent")))
			for _, c := range lines.Draw(t, "line") {
				if rapid.IntRange(0, 60).Draw(t, "spoil") == 0 {
					text.WriteString(marks.Draw(t, "mark"))
				}
				if c != 'W' {
					text.WriteRune(c)
					continue
				}
				fmt.Fprintf(&text, "w%dw", n)
				n++
			}
		}
		docs, err := document.Read([]byte(text.String()))
		if err != nil {
			return
		}
		taken++
		all := jsons(docs)
		for i := range n {
			word := fmt.Sprintf("w%dw", i)
			if !strings.Contains(all, word) && !commented(text.String(), word) {
				t.Fatalf("%q loses %s:\n%s", text.String(), word, all)
			}
		}
	})
	t.Logf("%d texts taken", taken)
	if taken == 0 {
		t.Error("no text was taken")
	}
}

// commented says whether a # that may begin a comment stands before a word, on its line.
func commented(text, word string) bool {
	before, _, _ := strings.Cut(text, word)
	before = "\n" + before
	line := before[strings.LastIndexAny(before, "\n\r\u0085\u2028"):]
	last := '\n'
	for _, c := range line {
		if c == '#' && strings.ContainsRune(" \t\n\r\u0085\u2028", last) {
			return true
		}
		last = c
	}
	return false
}
