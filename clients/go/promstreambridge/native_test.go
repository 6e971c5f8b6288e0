package promstreambridge_test

import (
	"fmt"
	"math"
	"math/rand"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstream"
	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstreambridge"
	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstreamtest"
)

// What is pushed of a histogram that becomes coarser meanwhile comes to what it has.
func TestNativeHistogramsAddUp(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	draw := rand.New(rand.NewSource(seed))
	for range 50 {
		sent := promstreamtest.New(promstream.Options{})
		histogram := prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:                            "native_seconds",
			NativeHistogramBucketFactor:     1.01,
			NativeHistogramMaxBucketNumber:  uint32(10 + draw.Intn(100)),
			NativeHistogramMaxZeroThreshold: draw.Float64() * 0.01,
		})
		pusher := promstreambridge.New(sent.Client).Collector(histogram)
		for range 300 {
			value := math.Exp(draw.NormFloat64() * 5)
			switch draw.Intn(4) {
			case 0:
				value = -value
			case 1:
				value = math.Trunc(value)
			}
			histogram.Observe(value)
			if draw.Intn(10) == 0 {
				push(t, pusher)
			}
		}
		push(t, pusher)
		check(t, histogram, sent)
	}
}

// Of each schema with a wider bucket around zero, compared bucket by bucket.
func check(t *testing.T, histogram prometheus.Histogram, sent *promstreamtest.Fake) {
	t.Helper()
	var metric dto.Metric
	if err := histogram.Write(&metric); err != nil {
		t.Fatal(err)
	}
	of := metric.GetHistogram()
	got, sum, grids := map[string]uint64{}, 0.0, map[string]bool{}
	for _, sample := range sent.Samples() {
		native := sample.Native
		if native == nil || sample.Counts != nil || sample.Buckets != nil {
			t.Fatalf("expected native buckets alone, got %+v", sample)
		}
		grids[fmt.Sprint(native.Schema, native.ZeroThreshold)] = true
		sum += sample.Sum
		got["zero"] += native.ZeroCount
		collect(got, "+", native, native.Positive, of)
		collect(got, "-", native, native.Negative, of)
	}
	expected := map[string]uint64{"zero": of.GetZeroCount()}
	decode(expected, "+", of.GetPositiveSpan(), of.GetPositiveDelta())
	decode(expected, "-", of.GetNegativeSpan(), of.GetNegativeDelta())
	if fmt.Sprint(got) != fmt.Sprint(expected) {
		t.Fatalf("by %v, schema %d, zero %v: expected %v, got %v",
			grids, of.GetSchema(), of.GetZeroThreshold(), expected, got)
	}
	if math.Abs(sum-of.GetSampleSum()) > 1e-6*math.Max(1, math.Abs(sum)) {
		t.Errorf("expected the sum %v, got %v", of.GetSampleSum(), sum)
	}
}

// Counts a side by the buckets that the histogram has in the end.
func collect(
	to map[string]uint64, sign string, native *promstreamtest.Native, side promstreamtest.Side, of *dto.Histogram,
) {
	for at, index := range side.Indexes {
		end := math.Exp2(float64(index) / math.Exp2(float64(native.Schema)))
		if end <= of.GetZeroThreshold()*(1+1e-9) {
			to["zero"] += side.Counts[at]
			continue
		}
		coarser := math.Exp2(float64(of.GetSchema()) - float64(native.Schema))
		to[fmt.Sprint(sign, int(math.Ceil(float64(index)*coarser)))] += side.Counts[at]
	}
}

func decode(to map[string]uint64, sign string, spans []*dto.BucketSpan, deltas []int64) {
	index, count, at := 0, int64(0), 0
	for _, span := range spans {
		index += int(span.GetOffset())
		for range span.GetLength() {
			count += deltas[at]
			if count > 0 {
				to[fmt.Sprint(sign, index)] += uint64(count)
			}
			index, at = index+1, at+1
		}
	}
}

// The library begins anew where buckets are too many: what came since is sent whole.
func TestANativeHistogramThatBeganAnewIsSentWhole(t *testing.T) {
	sent := promstreamtest.New(promstream.Options{})
	histogram := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "native_seconds", NativeHistogramBucketFactor: 1.1,
		NativeHistogramMaxBucketNumber: 4, NativeHistogramMinResetDuration: time.Nanosecond,
	})
	pusher := promstreambridge.New(sent.Client).Collector(histogram)
	for index := range 100 {
		histogram.Observe(float64(1 + index*index%17))
		push(t, pusher)
	}
	sent.AssertObserved(t, "native_seconds", nil, 100)
}

func TestNativeHistogramsAreSentWhenTheyChange(t *testing.T) {
	sent := promstreamtest.New(promstream.Options{})
	native := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "native_seconds", Help: "Native.", NativeHistogramBucketFactor: 1.1,
	})
	both := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "both_seconds", NativeHistogramBucketFactor: 1.1, Buckets: []float64{1},
	})
	both.Observe(1)
	pusher := promstreambridge.New(sent.Client).Collector(native).Collector(both)
	push(t, pusher)
	sent.AssertObserved(t, "native_seconds", nil, 0)
	samples := sent.Samples()
	if len(samples) != 2 || samples[0].Native != nil || len(samples[0].Counts) != 2 || samples[1].Help != "Native." {
		t.Fatalf("expected classic buckets, and a native one that has nothing, got %+v", samples)
	}
	sent.Reset()
	push(t, pusher)
	if again := sent.Samples(); len(again) > 0 {
		t.Errorf("expected none, got %+v", again)
	}
	native.Observe(0.5)
	native.Observe(0)
	push(t, pusher)
	samples = sent.Samples()
	if len(samples) != 1 || samples[0].Sum != 0.5 {
		t.Fatalf("expected one sample, got %+v", samples)
	}
	expected := promstreamtest.Native{
		Schema: 3, ZeroThreshold: prometheus.DefNativeHistogramZeroThreshold, ZeroCount: 1,
		Positive: promstreamtest.Side{Indexes: []int{-8}, Counts: []uint64{1}},
	}
	if got := *samples[0].Native; fmt.Sprint(got) != fmt.Sprint(expected) {
		t.Errorf("expected %+v, got %+v", expected, got)
	}
}

// client_golang makes none of these; other gatherers may.
func TestWhatIsNoNativeHistogramIsTold(t *testing.T) {
	sent := promstreamtest.New(promstream.Options{})
	kind := dto.MetricType_HISTOGRAM.Enum()
	histogram := func(of *dto.Histogram) []*dto.Metric { return []*dto.Metric{{Histogram: of}} }
	gatherer := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		return []*dto.MetricFamily{
			{Name: pointer("custom"), Type: kind, Metric: histogram(&dto.Histogram{Schema: pointer(int32(-53))})},
			{Name: pointer("fractions"), Type: kind, Metric: histogram(&dto.Histogram{
				Schema: pointer(int32(3)), SampleCountFloat: pointer(0.5),
			})},
		}, nil
	})
	pusher := promstreambridge.New(sent.Client).Gatherer(gatherer)
	if err := pusher.Push(); err == nil || pusher.Skipped() != 2 {
		t.Errorf("expected two to be told, got %v", err)
	}
	if samples := sent.Samples(); len(samples) > 0 {
		t.Errorf("expected none, got %+v", samples)
	}
}

func pointer[T any](value T) *T { return &value }
