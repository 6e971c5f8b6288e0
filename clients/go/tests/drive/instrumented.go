package main

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstream"
	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstreambridge"
)

// instrumented makes calls with client_golang, whose metrics the bridge pushes.
type instrumented struct {
	pusher *promstreambridge.Pusher
	help   map[string]string
	// A metric has the same label names in all of a registry, and calls of one name
	// have any: a registry for each set of them.
	registries map[string]*prometheus.Registry
	vectors    map[string]any
	// What gauges are at.
	gauges map[string]float64
}

func newInstrumented(metrics *promstream.Client) *instrumented {
	return &instrumented{
		pusher:     promstreambridge.New(metrics),
		help:       map[string]string{},
		registries: map[string]*prometheus.Registry{},
		vectors:    map[string]any{},
		gauges:     map[string]float64{},
	}
}

func (i *instrumented) make(one call) {
	value, labels := one.value(), prometheus.Labels(one.Labels)
	names, help := sorted(labels), i.help[one.Name]
	switch one.Call {
	case "describe":
		i.help[one.Name] = one.Help
	case "counter":
		vector(i, one.Name, names, func() *prometheus.CounterVec {
			return prometheus.NewCounterVec(prometheus.CounterOpts{Name: one.Name, Help: help}, names)
		}).With(labels).Add(value)
	case "gauge":
		vector(i, one.Name, names, func() *prometheus.GaugeVec {
			return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: one.Name, Help: help}, names)
		}).With(labels).Set(i.gauge(one, names, value))
	case "histogram":
		vector(i, one.Name, names, func() *prometheus.HistogramVec {
			return prometheus.NewHistogramVec(prometheus.HistogramOpts{
				Name: one.Name, Help: help, Buckets: one.Buckets, NativeHistogramBucketFactor: one.Factor,
			}, names)
		}).With(labels).Observe(value)
	case "summary":
		vector(i, one.Name, names, func() *prometheus.SummaryVec {
			return prometheus.NewSummaryVec(prometheus.SummaryOpts{Name: one.Name, Help: help}, names)
		}).With(labels).Observe(value)
	}
}

// What a gauge is set to: the library has no max and no min.
func (i *instrumented) gauge(one call, names []string, value float64) float64 {
	key := one.Name
	for _, name := range names {
		key += "\xff" + name + "\xff" + one.Labels[name]
	}
	before, known := i.gauges[key]
	switch {
	case !known:
	case one.Op == "add":
		value += before
	case one.Op == "max":
		value = max(value, before)
	case one.Op == "min":
		value = min(value, before)
	}
	i.gauges[key] = value
	return value
}

func sorted(labels prometheus.Labels) []string {
	var names []string
	for name := range labels {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// The vector of a name and its label names.
func vector[V prometheus.Collector](i *instrumented, name string, names []string, make func() V) V {
	set := strings.Join(names, ",")
	if known, is := i.vectors[name+"\xff"+set].(V); is {
		return known
	}
	if i.registries[set] == nil {
		i.registries[set] = prometheus.NewRegistry()
		i.pusher.Gatherer(i.registries[set])
	}
	made := make()
	i.registries[set].MustRegister(made)
	i.vectors[name+"\xff"+set] = made
	return made
}
