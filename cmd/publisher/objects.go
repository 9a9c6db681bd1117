package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/internal/document"
)

// shownObjects is what get prints.
type shownObjects struct {
	all        []json.RawMessage
	single     bool // one object, and not a list of one
	kinds      bool // they may be of several kinds
	namespaces bool // and of several namespaces
}

// header is what a table shows of an object.
type header struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Namespace       string            `json:"namespace"`
		Name            string            `json:"name"`
		ResourceVersion string            `json:"resourceVersion"`
		Generation      int64             `json:"generation"`
		Created         time.Time         `json:"creationTimestamp"`
		Labels          map[string]string `json:"labels"`
	} `json:"metadata"`
}

func (o *options) printObjects(cmd *cobra.Command, s shownObjects) error {
	w := cmd.OutOrStdout()
	switch o.output {
	case asJSON:
		return s.json(w)
	case asYAML:
		return s.yaml(w)
	case table, justName:
	}
	if len(s.all) == 0 && o.output == table {
		cmd.PrintErrln("there are none")
		return nil
	}
	columns := []string{"NAME", "GENERATION", "VERSION", "AGE", "LABELS"}
	if s.namespaces {
		columns = append([]string{"NAMESPACE"}, columns...)
	}
	rows, names := []string{strings.Join(columns, "\t")}, []string{}
	for _, data := range s.all {
		var h header
		if err := json.Unmarshal(data, &h); err != nil {
			return fmt.Errorf("an object can't be read: %w", err)
		}
		m := h.Metadata
		name := plain(m.Name)
		if s.kinds {
			name = shortName(h.Kind, m.Name)
		}
		row := []string{name, strconv.FormatInt(m.Generation, 10), plain(m.ResourceVersion), age(m.Created, time.Now()), labels(m.Labels)}
		if s.namespaces {
			row = append([]string{plain(m.Namespace)}, row...)
		}
		rows, names = append(rows, strings.Join(row, "\t")), append(names, shortName(h.Kind, m.Name))
	}
	return o.output.print(w, nil, rows, names...)
}

// json is the object, or a List of them, either of which apply takes.
func (s shownObjects) json(w io.Writer) error {
	var data []byte
	if s.single {
		data = s.all[0]
	} else {
		var err error
		if data, err = json.Marshal(struct {
			APIVersion string            `json:"apiVersion"`
			Kind       string            `json:"kind"`
			Items      []json.RawMessage `json:"items"`
		}{"v1", "List", append([]json.RawMessage{}, s.all...)}); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}

// yaml is a document for each.
func (s shownObjects) yaml(w io.Writer) error {
	for i, data := range s.all {
		text, err := document.YAML(data)
		if err != nil {
			return err
		}
		if i > 0 {
			text = append([]byte("---\n"), text...)
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}

func labels(all map[string]string) string {
	if len(all) == 0 {
		return "-"
	}
	list := make([]string, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		list = append(list, plain(key+"="+all[key]))
	}
	return strings.Join(list, ",")
}

// age is how long ago something was made, in its largest unit.
func age(created, now time.Time) string {
	if created.IsZero() {
		return "-"
	}
	d := max(0, now.Sub(created))
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + "s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + "m"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + "h"
	}
	return strconv.Itoa(int(d.Hours()/24)) + "d"
}

func (o *options) printDiff(cmd *cobra.Command, d ctl.Difference) error {
	var err error
	if o.output == asJSON || o.output == asYAML {
		err = o.output.print(cmd.OutOrStdout(), d, nil)
	} else {
		_, err = io.WriteString(cmd.OutOrStdout(), shownText(d.Diff))
	}
	if err != nil || d.Diff == "" {
		return err
	}
	return cli.Exit(cli.CodeFailed, cli.ErrShown)
}

// shownText is plain for several lines.
func shownText(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = plain(strings.ReplaceAll(line, "\t", "    "))
	}
	return strings.Join(lines, "\n")
}
