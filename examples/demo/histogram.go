package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// histogram is lethe_propagation_seconds of one node.
type histogram struct {
	bounds []string
	counts []float64 // cumulative
	sum    float64
	count  float64
}

// propagation reads the node's histogram from /metrics.
func (n *node) propagation(ctx context.Context) (h histogram, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.http+"/metrics", http.NoBody)
	if err != nil {
		return h, err
	}
	res, err := n.client.Do(req)
	if err != nil {
		return h, err
	}
	defer func() { _ = res.Body.Close() }()
	return parse(res.Body)
}

func parse(r io.Reader) (h histogram, err error) {
	const name = "lethe_propagation_seconds"
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		series, text, _ := strings.Cut(lines.Text(), " ")
		if !strings.HasPrefix(series, name) {
			continue
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return h, fmt.Errorf("%s: %w", series, err)
		}
		switch {
		case strings.HasPrefix(series, name+"_bucket"):
			_, bound, _ := strings.Cut(series, `le="`)
			bound, _, _ = strings.Cut(bound, `"`)
			h.bounds = append(h.bounds, bound)
			h.counts = append(h.counts, value)
		case strings.HasPrefix(series, name+"_sum"):
			h.sum = value
		case strings.HasPrefix(series, name+"_count"):
			h.count = value
		}
	}
	return h, lines.Err()
}

// since says what was added between two readings: the mean, and the bucket in which the 99th hundredth lies.
func (h histogram) since(before histogram) string {
	n := h.count - before.count
	if n <= 0 {
		return "none"
	}
	mean := time.Duration((h.sum - before.sum) / n * float64(time.Second))
	bound := "+Inf"
	for i, b := range h.bounds {
		grown := h.counts[i]
		if i < len(before.counts) {
			grown -= before.counts[i]
		}
		if grown >= 0.99*n {
			bound = b
			break
		}
	}
	text := fmt.Sprintf("mean %s", brief(mean))
	if seconds, err := strconv.ParseFloat(bound, 64); err == nil && bound != "+Inf" {
		text += fmt.Sprintf(", 99 of 100 within %s", brief(time.Duration(seconds*float64(time.Second))))
	}
	return text
}
