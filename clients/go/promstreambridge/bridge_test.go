package promstreambridge_test

import (
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstream"
	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstreambridge"
	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstreamtest"
)

// What two processes push, however often, comes to what their registries have.
func TestPushesAddUp(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	draw := rand.New(rand.NewSource(seed))
	sent := promstreamtest.New(promstream.Options{})
	expected := map[string]float64{}
	for process := range 2 {
		registry := prometheus.NewRegistry()
		pusher := promstreambridge.New(sent.Client).Gatherer(registry)
		use := instrumented(registry, process)
		for range 2000 {
			use(draw)
			if draw.Intn(100) == 0 {
				push(t, pusher)
			}
		}
		push(t, pusher)
		add(t, registry, expected)
	}
	for key, value := range expected {
		name, labels := series(key)
		got, _ := sent.Value(name, labels)
		if strings.Contains(name, "histogram") {
			count, sum := sent.Observed(name, labels)
			got = float64(count) + sum*1e6
		}
		if got != value {
			t.Errorf("%s: expected %v, got %v", key, value, got)
		}
	}
	if dropped := sent.Dropped(); len(dropped) > 0 {
		t.Errorf("dropped: %v", dropped)
	}
}

func push(t *testing.T, pusher *promstreambridge.Pusher) {
	t.Helper()
	if err := pusher.Push(); err != nil {
		t.Fatal(err)
	}
}

// Makes metrics of each kind, and returns what does something with one of them.
func instrumented(registry *prometheus.Registry, process int) func(*rand.Rand) {
	label := []string{"queue"}
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "jobs_total", Help: "Jobs."}, label)
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "waiting", ConstLabels: prometheus.Labels{"process": fmt.Sprint(process)},
	}, label)
	histogram := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "histogram_seconds", Buckets: []float64{10, 20, 50},
	}, label)
	summary := prometheus.NewSummaryVec(prometheus.SummaryOpts{Name: "size_bytes"}, label)
	registry.MustRegister(counter, gauge, histogram, summary)
	return func(draw *rand.Rand) {
		queue, value := fmt.Sprint(draw.Intn(3)), float64(draw.Intn(100))
		switch draw.Intn(5) {
		case 0:
			counter.WithLabelValues(queue).Add(value)
		case 1:
			gauge.WithLabelValues(queue).Set(value)
		case 2, 3:
			histogram.WithLabelValues(queue).Observe(value)
		case 4:
			summary.WithLabelValues(queue).Observe(value)
		}
	}
}

// What a registry has, added to what others have.
func add(t *testing.T, registry *prometheus.Registry, to map[string]float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			labels := ""
			for _, label := range metric.GetLabel() {
				labels += "," + label.GetName() + "," + label.GetValue()
			}
			name := family.GetName()
			switch family.GetType() {
			case dto.MetricType_COUNTER:
				to[name+labels] += metric.GetCounter().GetValue()
			case dto.MetricType_GAUGE:
				to[name+labels] = metric.GetGauge().GetValue()
			case dto.MetricType_SUMMARY:
				to[name+"_count"+labels] += float64(metric.GetSummary().GetSampleCount())
				to[name+"_sum"+labels] += metric.GetSummary().GetSampleSum()
			default:
				of := metric.GetHistogram()
				to[name+labels] += float64(of.GetSampleCount()) + of.GetSampleSum()*1e6
			}
		}
	}
}

func series(key string) (string, promstream.Labels) {
	parts := strings.Split(key, ",")
	labels := promstream.Labels{}
	for index := 1; index < len(parts); index += 2 {
		labels[parts[index]] = parts[index+1]
	}
	return parts[0], labels
}

func TestOnlyWhatHasChangedIsSent(t *testing.T) {
	sent := promstreamtest.New(promstream.Options{})
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "jobs_total", Help: "Jobs."})
	histogram := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "job_seconds", Buckets: []float64{1, 2}})
	summary := prometheus.NewSummary(prometheus.SummaryOpts{Name: "job_bytes"})
	pusher := promstreambridge.New(sent.Client).Collector(counter).Collector(histogram).Collector(summary)
	push(t, pusher)
	sent.AssertValue(t, "jobs_total", nil, 0)
	sent.AssertValue(t, "job_bytes_count", nil, 0)
	first := sent.Samples()
	if len(first) != 4 {
		t.Fatalf("expected what is there for the first time, got %+v", first)
	}
	sent.Reset()
	push(t, pusher)
	if again := sent.Samples(); len(again) > 0 {
		t.Errorf("expected none, got %+v", again)
	}
	counter.Add(2)
	histogram.Observe(1.5)
	histogram.Observe(7)
	push(t, pusher)
	samples := sent.Samples()
	if len(samples) != 2 || samples[1].Help != "Jobs." || *samples[1].Value != 2 {
		t.Fatalf("expected two samples, got %+v", samples)
	}
	if got := samples[0]; fmt.Sprint(got.Buckets, got.Counts, got.Sum) != "[1 2] [0 1 1] 8.5" {
		t.Errorf("expected the observations by bucket, got %+v", got)
	}
}

// One that was deleted, or whose process began anew, is not less than nothing.
func TestWhatBeganAnewIsSentWhole(t *testing.T) {
	sent := promstreamtest.New(promstream.Options{})
	value := map[string]float64{"a": 5}
	pusher := promstreambridge.New(sent.Client).Gatherer(gathering(value))
	push(t, pusher)
	value["a"] = 2
	push(t, pusher)
	delete(value, "a")
	push(t, pusher)
	value["a"] = 3
	push(t, pusher)
	sent.AssertValue(t, "a_total", nil, 10)
}

// gathering has counters of these values.
type gathering map[string]float64

func (g gathering) Gather() ([]*dto.MetricFamily, error) {
	registry := prometheus.NewRegistry()
	for name, value := range g {
		counter := prometheus.NewCounter(prometheus.CounterOpts{Name: name + "_total"})
		counter.Add(value)
		registry.MustRegister(counter)
	}
	return registry.Gather()
}

func TestErrorsComeBackAndTheRestIsSent(t *testing.T) {
	sent := promstreamtest.New(promstream.Options{})
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "jobs_total"})
	counter.Inc()
	failing := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return nil, errors.New("no figures") })
	pusher := promstreambridge.New(sent.Client).Gatherer(failing).Collector(counter).Collector(counter)
	err := pusher.Push()
	if err == nil || !strings.Contains(err.Error(), "no figures") || !strings.Contains(err.Error(), "duplicate") {
		t.Errorf("expected both errors, got %v", err)
	}
	sent.AssertValue(t, "jobs_total", nil, 1)
}
