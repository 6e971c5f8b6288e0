// Package promstreambridge sends what is counted with Prometheus' own client
// library, client_golang, to a prom-stream-gateway. It is used like its package
// push, but what many processes push is added up:
//
//	pusher := promstreambridge.New(metrics).Gatherer(registry)
//	defer pusher.Push()
//
// Each push sends what has changed since the last one:
//
//   - counters: how much was added;
//   - gauges, and metrics of no type: their value, which replaces the one that is
//     there. Processes that have one each need a label that tells them apart, such
//     as by promstream.Options.Labels; or use Gauge.Add of promstream itself;
//   - histograms with buckets: the observations, by bucket. Native buckets beside
//     them are not sent, since a sample that was counted before has one kind;
//   - native histograms: the observations, by native bucket;
//   - summaries, and histograms without buckets: their sum and count, as counters
//     of the names x_sum and x_count, so that averages go on. Quantiles can't be
//     added up, and the library does not keep the observations.
//
// A series that is there for the first time is sent as it is, so that a counter
// shows its 0. Use a registry with what should be added up:
// prometheus.DefaultGatherer has figures of the process too, go_goroutines say,
// that mean little for many processes.
package promstreambridge

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstream"
)

// Pusher sends what has changed since its last push.
type Pusher struct {
	client *promstream.Client

	mutex      sync.Mutex
	gatherers  prometheus.Gatherers
	registry   *prometheus.Registry
	err        error
	last       map[string]state
	described  map[string]bool
	skipped    uint64
	skippedNow []string
}

// state is what a series was at when it was pushed.
type state struct {
	// A counter's value, or the sum of observations.
	sum float64
	// How many observations, by bucket; the last is +Inf.
	counts []uint64
	bounds []float64
	// Of native buckets.
	native *nativeState
}

// New makes a pusher that sends through a client.
func New(client *promstream.Client) *Pusher {
	registry := prometheus.NewRegistry()
	return &Pusher{
		client:    client,
		gatherers: prometheus.Gatherers{registry},
		registry:  registry,
		last:      map[string]state{},
		described: map[string]bool{},
	}
}

// Gatherer adds one, such as a registry.
func (p *Pusher) Gatherer(gatherer prometheus.Gatherer) *Pusher {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.gatherers = append(p.gatherers, gatherer)
	return p
}

// Collector adds a collector, such as a counter that is in no registry. If it
// can't be registered, Push returns the error.
func (p *Pusher) Collector(collector prometheus.Collector) *Pusher {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if err := p.registry.Register(collector); err != nil && p.err == nil {
		p.err = err
	}
	return p
}

// Push is PushContext without a context.
func (p *Pusher) Push() error { return p.PushContext(context.Background()) }

// PushContext gathers, and sends what has changed since the last push, together
// with all else that the client has buffered. It takes as long as the client's
// Flush at most, and gathering. What is gathered in spite of an error is sent. The
// next push does not repeat what was lost.
func (p *Pusher) PushContext(ctx context.Context) error {
	return errors.Join(p.record(), p.client.Flush(ctx))
}

// Skipped is how many native histograms could not be sent, because their counts are
// no whole numbers, or their buckets those of no native histogram. client_golang
// makes none of these; each is told by Push too.
func (p *Pusher) Skipped() uint64 {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.skipped
}

// Records what has changed with the client.
func (p *Pusher) record() error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	families, err := p.gatherers.Gather()
	// Series that are gone are forgotten: one that comes back begins at 0.
	now := make(map[string]state, len(p.last))
	p.skippedNow = nil
	for _, family := range families {
		p.describe(family)
		for _, metric := range family.GetMetric() {
			p.recordMetric(family, metric, now)
		}
	}
	p.last = now
	if len(p.skippedNow) > 0 {
		p.skipped += uint64(len(p.skippedNow))
		err = errors.Join(err, fmt.Errorf("native histograms can't be sent: %s", strings.Join(p.skippedNow, ", ")))
	}
	return errors.Join(p.err, err)
}

func (p *Pusher) describe(family *dto.MetricFamily) {
	if name := family.GetName(); !p.described[name] {
		p.described[name] = true
		p.client.Describe(name, promstream.Description{Help: family.GetHelp(), Unit: family.GetUnit()})
	}
}

func (p *Pusher) recordMetric(family *dto.MetricFamily, metric *dto.Metric, now map[string]state) {
	name, labels := family.GetName(), promstream.Labels{}
	key := name
	for _, label := range metric.GetLabel() {
		labels[label.GetName()] = label.GetValue()
		key += "\xff" + label.GetName() + "\xff" + label.GetValue()
	}
	last, known := p.last[key]
	switch {
	case metric.GetCounter() != nil:
		value := metric.GetCounter().GetValue()
		now[key] = state{sum: value}
		if added := since(last.sum, value); added != 0 || !known {
			p.client.Counter(name, labels).Add(added)
		}
	case metric.GetGauge() != nil:
		p.client.Gauge(name, labels).Set(metric.GetGauge().GetValue())
	case metric.GetUntyped() != nil:
		p.client.Gauge(name, labels).Set(metric.GetUntyped().GetValue())
	case metric.GetSummary() != nil:
		of := metric.GetSummary()
		now[key] = state{sum: of.GetSampleSum(), counts: []uint64{of.GetSampleCount()}}
		p.recordSumAndCount(name, labels, last, now[key], known)
	case metric.GetHistogram() != nil:
		p.recordHistogram(name, labels, metric.GetHistogram(), last, now, key, known)
	}
}

// What a counter has grown by; one that is lower than it was began anew.
func since(last, value float64) float64 {
	if value < last {
		return value
	}
	return value - last
}

func (p *Pusher) recordSumAndCount(name string, labels promstream.Labels, last, now state, known bool) {
	if len(last.counts) != 1 || now.counts[0] < last.counts[0] {
		last = state{counts: []uint64{0}}
	}
	if count := now.counts[0] - last.counts[0]; count > 0 || !known {
		p.client.Counter(name+"_count", labels).Add(float64(count))
		p.client.Counter(name+"_sum", labels).Add(now.sum - last.sum)
	}
}

func (p *Pusher) recordHistogram(
	name string, labels promstream.Labels, of *dto.Histogram, last state, states map[string]state, key string, known bool,
) {
	if isNative(of) {
		p.recordNative(name, labels, of, last, states, key)
		return
	}
	now := state{sum: of.GetSampleSum()}
	if len(of.GetBucket()) == 0 {
		now.counts = []uint64{of.GetSampleCount()}
		states[key] = now
		p.recordSumAndCount(name, labels, last, now, known)
		return
	}
	below := uint64(0)
	for _, bucket := range of.GetBucket() {
		if math.IsInf(bucket.GetUpperBound(), 1) {
			break
		}
		now.bounds = append(now.bounds, bucket.GetUpperBound())
		now.counts = append(now.counts, bucket.GetCumulativeCount()-below)
		below = bucket.GetCumulativeCount()
	}
	now.counts = append(now.counts, of.GetSampleCount()-below)
	states[key] = now
	added, sum, changed := now.since(last)
	if changed || !known {
		p.client.Histogram(name, labels, now.bounds...).Merge(added, sum)
	}
}

func (p *Pusher) recordNative(
	name string, labels promstream.Labels, of *dto.Histogram, last state, states map[string]state, key string,
) {
	if !canBeSent(of) {
		p.skippedNow = append(p.skippedNow, name)
		return
	}
	now := nativeStateOf(of)
	states[key] = state{native: &now}
	if added := now.since(last.native); added != nil {
		p.client.Histogram(name, labels).MergeNative(added.NativeCounts, added.sum)
	}
}

// The observations by bucket since the last push, and their sum. A histogram that
// has fewer than it had, or other buckets, began anew.
func (s state) since(last state) (added []uint64, sum float64, changed bool) {
	if !slices.Equal(s.bounds, last.bounds) || len(s.counts) != len(last.counts) {
		return s.counts, s.sum, true
	}
	added = make([]uint64, len(s.counts))
	for index, count := range s.counts {
		if count < last.counts[index] {
			return s.counts, s.sum, true
		}
		added[index] = count - last.counts[index]
		changed = changed || added[index] > 0
	}
	return added, s.sum - last.sum, changed
}
