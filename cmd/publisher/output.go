package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"sigs.k8s.io/yaml"
)

// format is how data is printed.
type format string

const (
	table    format = "table"
	asJSON   format = "json"
	asYAML   format = "yaml"
	justName format = "name"
)

func formats() []string {
	return []string{string(table), string(asJSON), string(asYAML), string(justName)}
}

func (f *format) Set(text string) error {
	if !slices.Contains(formats(), text) {
		return fmt.Errorf("want one of %s", strings.Join(formats(), ", "))
	}
	*f = format(text)
	return nil
}

func (f *format) String() string { return string(*f) }
func (*format) Type() string     { return "format" }

// print writes one result: data as JSON or YAML, rows (columns parted by tabs, the heading first) as a table, or names,
// one a line.
func (f *format) print(w io.Writer, data any, rows []string, names ...string) error {
	switch *f {
	case asJSON:
		text, err := json.MarshalIndent(data, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(w, string(text))
		return err
	case asYAML:
		text, err := yaml.Marshal(data)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	case justName:
		for _, name := range names {
			if _, err := fmt.Fprintln(w, name); err != nil {
				return err
			}
		}
		return nil
	case table:
	}
	tw := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		if _, err := fmt.Fprintln(tw, row); err != nil {
			return err
		}
	}
	return tw.Flush()
}
