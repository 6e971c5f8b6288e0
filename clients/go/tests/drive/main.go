// Drive makes the calls that it reads, with promstream or with client_golang, for the suite that holds the clients of all
// languages against the gateway (tests/clients in the repository). Each line of
// standard input is a call, as JSON. After each flush it prints how long that took,
// how many samples were dropped so far, and the last reason.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"time"

	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstream"
)

type call struct {
	Call    string            `json:"call"`
	Op      string            `json:"op"`
	Name    string            `json:"name"`
	Labels  promstream.Labels `json:"labels"`
	Value   *float64          `json:"value"`
	Buckets []float64         `json:"buckets"`
	Factor  float64           `json:"factor"`
	Help    string            `json:"help"`
	Unit    string            `json:"unit"`
}

func main() {
	said := &lastReason{}
	metrics := promstream.FromEnvironment(promstream.Options{Logger: slog.New(said)})
	make, push := func(one call) { one.make(metrics) }, metrics.Flush
	switch strings.Join(os.Args[1:], " ") {
	case "go-redis":
	case "client_golang":
		library := newInstrumented(metrics)
		make, push = library.make, library.pusher.PushContext
	default:
		fmt.Fprintln(os.Stderr, "usage: driver go-redis|client_golang")
		os.Exit(2)
	}
	flush := func() {
		started := time.Now()
		_ = push(context.Background())
		report(time.Since(started), metrics, said.reason)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var one call
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			fmt.Fprintln(os.Stderr, "expected a call as JSON:", err)
			os.Exit(2)
		}
		if one.Call == "flush" {
			flush()
		} else {
			make(one)
		}
	}
	flush()
}

// How much: 1 if it says nothing.
func (c call) value() float64 {
	if c.Value == nil {
		return 1
	}
	return *c.Value
}

func (c call) make(metrics *promstream.Client) {
	value := c.value()
	switch c.Call {
	case "counter":
		metrics.Counter(c.Name, c.Labels).Add(value)
	case "gauge":
		gauge := metrics.Gauge(c.Name, c.Labels)
		switch c.Op {
		case "", "set":
			gauge.Set(value)
		case "add":
			gauge.Add(value)
		case "max":
			gauge.Max(value)
		case "min":
			gauge.Min(value)
		}
	case "histogram":
		metrics.Histogram(c.Name, c.Labels, c.Buckets...).Observe(value)
	case "summary":
		metrics.Summary(c.Name, c.Labels).Observe(value)
	case "describe":
		metrics.Describe(c.Name, promstream.Description{Help: c.Help, Unit: c.Unit})
	case "bad":
		metrics.Counter("bad_total", nil).Add(math.NaN())
		metrics.Gauge("bad", nil).Set(math.Inf(1))
		metrics.Counter(" ", nil).Inc()
		metrics.Histogram("bad_seconds", promstream.Labels{"\xff": "x"}).Observe(1)
	}
}

func report(took time.Duration, metrics *promstream.Client, reason *string) {
	dropped := uint64(0)
	for _, count := range metrics.Dropped() {
		dropped += count
	}
	line, err := json.Marshal(map[string]any{
		"elapsed_ms": float64(took.Microseconds()) / 1000, "dropped": dropped, "reason": reason,
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

// lastReason is a log of which the last line is kept.
type lastReason struct{ reason *string }

func (l *lastReason) Enabled(context.Context, slog.Level) bool { return true }
func (l *lastReason) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lastReason) WithGroup(string) slog.Handler            { return l }

func (l *lastReason) Handle(_ context.Context, record slog.Record) error {
	text := record.Message
	record.Attrs(func(attribute slog.Attr) bool {
		text += " " + attribute.String()
		return true
	})
	l.reason = &text
	return nil
}
