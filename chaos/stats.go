package main

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// stats reads the node's counts from its metrics.
func (m *member) stats() stats {
	st := m.node.Status()
	s := stats{Healed: st.GapsHealed, State: st.State.String(), Cursor: st.Cursor, Resets: map[string]uint64{}}
	reg := prometheus.NewRegistry()
	reg.MustRegister(m.node.Collector())
	families, err := reg.Gather()
	if err != nil {
		m.failed(err)
	}
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			v := uint64(metric.GetCounter().GetValue())
			switch f.GetName() {
			case "lethe_resets_total":
				s.Resets[label(metric, "cause")] += v
			case "lethe_loads_fenced_total":
				s.Fenced += v
			case "lethe_loads_shared_total":
				s.Shared += v
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Errors = maps.Clone(m.errors)
	return s
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// add sums counts up over lives and nodes.
func (s *stats) add(o stats) {
	if s.Resets == nil {
		s.Resets, s.Errors = map[string]uint64{}, map[string]int64{}
	}
	for k, v := range o.Resets {
		s.Resets[k] += v
	}
	for k, v := range o.Errors {
		s.Errors[k] += v
	}
	s.Healed += o.Healed
	s.Fenced += o.Fenced
	s.Shared += o.Shared
}
