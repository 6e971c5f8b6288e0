// client_golang: Push in each format, and Add; with a native histogram where the format
// has those.
package main

import (
	"fmt"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"
	"github.com/prometheus/common/expfmt"
)

func counted(hasNative bool) prometheus.Gatherer {
	registry := prometheus.NewRegistry()
	pushed := prometheus.NewCounterVec(
		prometheus.CounterOpts{Name: "pushed_total", Help: "Pushed."}, []string{"queue"})
	pushed.WithLabelValues("mail").Add(3)
	temperature := prometheus.NewGauge(
		prometheus.GaugeOpts{Name: "temperature", Help: "In the room."})
	temperature.Set(21.5)
	took := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "took_seconds", Help: "It took.", Buckets: []float64{0.1, 1}})
	native := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "native_seconds", Help: "It took.", NativeHistogramBucketFactor: 1.1})
	for _, seconds := range []float64{0.05, 0.5, 5} {
		took.Observe(seconds)
		native.Observe(seconds)
	}
	size := prometheus.NewSummary(prometheus.SummaryOpts{
		Name: "size_bytes", Help: "Its size.", Objectives: map[float64]float64{0.5: 0.05}})
	size.Observe(100)
	size.Observe(200)
	registry.MustRegister(pushed, temperature, took, size)
	if hasNative {
		registry.MustRegister(native)
	}
	return registry
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	pusher := func(job string, hasNative bool) *push.Pusher {
		return push.New("127.0.0.1:"+os.Args[1], job).Gatherer(counted(hasNative))
	}
	must(pusher("push", true).Push())
	must(pusher("text", false).Format(expfmt.NewFormat(expfmt.TypeTextPlain)).Push())
	must(pusher("openmetrics", false).Format(expfmt.NewFormat(expfmt.TypeOpenMetrics)).Push())
	must(pusher("add", true).Grouping("zone", "a/b").Add())
}
