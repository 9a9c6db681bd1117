package deploy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// stage is one FROM of the Dockerfile with what follows it.
type stage struct {
	name, from string
	steps      []step
}

type step struct{ verb, text string }

// dockerfile reads as much of the language as ours uses: comments, continued lines, no parser directives, no here-documents.
func dockerfile(tb testing.TB) []stage {
	tb.Helper()
	stages, err := parseDockerfile(source(tb, "Dockerfile"))
	if err != nil {
		tb.Fatal(err)
	}
	return stages
}

func parseDockerfile(text string) ([]stage, error) {
	var kept []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			kept = append(kept, line)
		}
	}
	var stages []stage
	for line := range strings.SplitSeq(strings.ReplaceAll(strings.Join(kept, "\n"), "\\\n", ""), "\n") {
		verb, rest, _ := strings.Cut(line, " ")
		switch {
		case verb == "FROM":
			var words []string
			for _, word := range strings.Fields(rest) {
				if !strings.HasPrefix(word, "--platform=") {
					words = append(words, word)
				}
			}
			if len(words) != 3 || words[1] != "AS" {
				return nil, fmt.Errorf("%q: want FROM IMAGE AS NAME", line)
			}
			stages = append(stages, stage{name: words[2], from: words[0]})
		case len(stages) == 0:
			return nil, fmt.Errorf("%q stands before the first FROM", line)
		case slices.Contains(strings.Fields("ARG COPY ENTRYPOINT ENV EXPOSE HEALTHCHECK RUN USER WORKDIR"), verb):
			last := &stages[len(stages)-1]
			last.steps = append(last.steps, step{verb, strings.TrimSpace(rest)})
		default:
			return nil, fmt.Errorf("%q: an instruction that is not known here", line)
		}
	}
	return stages, nil
}

// last returns what the stage, or the nearest below it, says last with a verb.
func last(tb testing.TB, stages []stage, target, verb string) string {
	tb.Helper()
	for target != "" {
		below := ""
		for _, s := range stages {
			if s.name != target {
				continue
			}
			below = s.from
			for i := len(s.steps) - 1; i >= 0; i-- {
				if s.steps[i].verb == verb {
					return s.steps[i].text
				}
			}
		}
		target = below
	}
	tb.Fatalf("no stage of the Dockerfile under that target has %s", verb)
	return ""
}

// words is the JSON form of a command: without a shell, which our images do not have.
func words(tb testing.TB, text string) (command []string) {
	tb.Helper()
	if err := json.Unmarshal([]byte(text), &command); err != nil {
		tb.Fatalf("%s: want a JSON array: %v", text, err)
	}
	return command
}
