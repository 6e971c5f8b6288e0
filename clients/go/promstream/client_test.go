package promstream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstream"
	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstreamtest"
)

func fake(options promstream.Options) *promstreamtest.Fake {
	if options.Logger == nil {
		options.Logger = (&log{}).options().Logger
	}
	return promstreamtest.New(options)
}

// Whatever is called in whatever order with flushes anywhere: the samples that are
// sent come to the same as the calls.
func TestSamplesComeToTheSameAsCalls(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	draw := rand.New(rand.NewSource(seed))
	sent := fake(promstream.Options{})
	values := map[string]float64{}
	counts, sums := map[string]uint64{}, map[string]float64{}
	for range 20_000 {
		series := fmt.Sprint(draw.Intn(5))
		labels := promstream.Labels{"series": series}
		value := float64(draw.Intn(100))
		before, known := values["gauge"+series]
		switch draw.Intn(9) {
		case 0:
			sent.Counter("counted_total", labels).Add(value)
			values["counted_total"+series] += value
		case 1:
			sent.Gauge("gauge", labels).Set(value)
			values["gauge"+series] = value
		case 2:
			sent.Gauge("gauge", labels).Add(-value)
			values["gauge"+series] = before - value
		case 3, 4:
			if !known {
				before = value
			}
			if value > 50 {
				sent.Gauge("gauge", labels).Max(value)
				values["gauge"+series] = max(before, value)
			} else {
				sent.Gauge("gauge", labels).Min(value)
				values["gauge"+series] = min(before, value)
			}
		case 5, 6:
			sent.Histogram("histogram_seconds", labels).Observe(value)
			counts["histogram_seconds"+series]++
			sums["histogram_seconds"+series] += value
		case 7:
			sent.Summary("summary_bytes", labels).Observe(value)
			counts["summary_bytes"+series]++
			sums["summary_bytes"+series] += value
		case 8:
			if draw.Intn(100) == 0 {
				if err := sent.Flush(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for series := range 5 {
		labels := promstream.Labels{"series": fmt.Sprint(series)}
		for _, name := range []string{"counted_total", "gauge"} {
			sent.AssertValue(t, name, labels, values[name+fmt.Sprint(series)])
		}
		for _, name := range []string{"histogram_seconds", "summary_bytes"} {
			key := name + fmt.Sprint(series)
			if count, sum := sent.Observed(name, labels); count != counts[key] || sum != sums[key] {
				t.Errorf("%s: expected %d and %v, got %d and %v", key, counts[key], sums[key], count, sum)
			}
		}
	}
	if dropped := sent.Dropped(); len(dropped) > 0 {
		t.Errorf("dropped: %v", dropped)
	}
}

func TestALoopIsOneSample(t *testing.T) {
	sent := fake(promstream.Options{})
	for index := range 1000 {
		sent.Counter("jobs_total", promstream.Labels{"a": "1", "b": "2"}).Inc()
		sent.Gauge("jobs_running", nil).Inc()
		sent.Gauge("jobs_highest", nil).Max(float64(index))
		sent.Histogram("job_seconds", nil, 100, 500, math.Inf(1)).Observe(float64(index))
		sent.Summary("job_bytes", nil).Observe(float64(index))
	}
	samples := sent.Samples()
	if len(samples) != 5 {
		t.Fatalf("expected 5 samples, got %+v", samples)
	}
	if op := samples[1].Op; op != "add" || *samples[1].Value != 1000 {
		t.Errorf("expected an addition of 1000, got %+v", samples[1])
	}
	whole := samples[3]
	if !slices.Equal(whole.Counts, []uint64{101, 400, 499}) || whole.Sum != 499_500 || whole.Values != nil {
		t.Errorf("expected counts by bucket, got %+v", whole)
	}
	if len(samples[4].Values) != 1000 {
		t.Errorf("expected 1000 values, got %+v", samples[4])
	}
}

func TestFewObservationsAreValues(t *testing.T) {
	sent := fake(promstream.Options{Buckets: []float64{1, 2}})
	for index := range 32 {
		sent.Histogram("job_seconds", nil).Observe(float64(index))
	}
	sent.Histogram("other_seconds", nil).Observe(3)
	samples := sent.Samples()
	if len(samples) != 2 || len(samples[0].Values) != 32 || !slices.Equal(samples[0].Buckets, []float64{1, 2}) {
		t.Errorf("expected 32 values and buckets, got %+v", samples)
	}
	if samples[1].Value == nil || *samples[1].Value != 3 {
		t.Errorf("expected one value, got %+v", samples[1])
	}
}

func TestWhatIsSentForAGauge(t *testing.T) {
	for calls, expected := range map[string]string{
		"set 1, add 2":               "set 3",
		"add 1, add 2":               "add 3",
		"add 1, set 2":               "set 2",
		"max 1, max 3, max 2":        "max 3",
		"min 2, min 1":               "min 1",
		"set 5, max 7, min 6":        "set 6",
		"max 1, min 2, add 3, add 4": "max 1, min 2, add 7",
		"max 1, add 2, set 9, add 1": "set 10",
	} {
		sent := fake(promstream.Options{})
		for _, call := range strings.Split(calls, ", ") {
			var op string
			var value float64
			if _, err := fmt.Sscan(call, &op, &value); err != nil {
				t.Fatal(err)
			}
			gauge := sent.Gauge("jobs", nil)
			map[string]func(float64){"set": gauge.Set, "add": gauge.Add, "max": gauge.Max, "min": gauge.Min}[op](value)
		}
		var got []string
		for _, sample := range sent.Samples() {
			if sample.Op == "" {
				sample.Op = "set"
			}
			got = append(got, fmt.Sprint(sample.Op, " ", *sample.Value))
		}
		if strings.Join(got, ", ") != expected {
			t.Errorf("%s: expected %s, got %v", calls, expected, got)
		}
	}
}

func TestLabels(t *testing.T) {
	sent := fake(promstream.Options{Labels: promstream.Labels{"service": "shop", "region": "eu"}})
	for _, labels := range []promstream.Labels{
		{"b": "2", "a": "1"}, {"a": "1", "b": "2", "c": ""}, {"a": "1", "b": "2", "region": "eu"},
	} {
		sent.Counter("jobs_total", labels).Inc()
	}
	sent.Counter("jobs_total", promstream.Labels{"region": "us", "service": ""}).Inc()
	sent.AssertValue(t, "jobs_total", promstream.Labels{"a": "1", "b": "2", "service": "shop", "region": "eu"}, 3)
	sent.AssertValue(t, "jobs_total", promstream.Labels{"region": "us"}, 1)
	sent.Reset()
	odd := "\x00\n\t\"\\/\u2028 Zoë 😀"
	sent.Counter("jobs_total", promstream.Labels{"odd": odd, "region": "", "service": ""}).Inc()
	sent.Counter("jobs_total", promstream.Labels{"odd": "a\xffb\xc3", "region": "", "service": ""}).Inc()
	sent.AssertValue(t, "jobs_total", promstream.Labels{"odd": odd}, 1)
	sent.AssertValue(t, "jobs_total", promstream.Labels{"odd": "a\uFFFDb\uFFFD"}, 1)
}

func TestDescriptions(t *testing.T) {
	sent := fake(promstream.Options{})
	sent.Describe("job_seconds", promstream.Description{
		Help: "How long \"jobs\" take.", Unit: "seconds", Buckets: []float64{1, 2}, TTL: 90 * time.Second,
	})
	sent.Describe("sent_bytes_total", promstream.Description{Unit: "bytes"})
	sent.Describe("size_bytes", promstream.Description{Objectives: map[float64]float64{.99: .001, .5: .05}})
	sent.Histogram("job_seconds", promstream.Labels{"n": "1"}, 7).Observe(1)
	sent.Histogram("job_seconds", promstream.Labels{"n": "2"}).Observe(1)
	sent.Counter("sent_bytes_total", nil).Inc()
	sent.Summary("size_bytes", nil).Observe(1)
	samples := sent.Samples()
	first, second := samples[0], samples[1]
	if first.Help != "How long \"jobs\" take." || first.Unit != "seconds" || second.Help+second.Unit != "" {
		t.Errorf("expected help and unit in the first of each name, got %+v", samples)
	}
	for _, sample := range samples[:2] {
		if !slices.Equal(sample.Buckets, []float64{1, 2}) || sample.TTL != 90 {
			t.Errorf("expected what was described, got %+v", sample)
		}
	}
	if samples[2].Unit != "bytes" {
		t.Errorf("expected a unit, got %+v", samples[2])
	}
	if len(sent.Dropped()) > 0 {
		t.Errorf("dropped: %v", sent.Dropped())
	}
}

// The gateway refuses a whole histogram with other buckets than the first.
func TestTheFirstBucketsOfANameHold(t *testing.T) {
	sent := fake(promstream.Options{})
	sent.Histogram("job_seconds", nil, 1, 2).Observe(1)
	_ = sent.Flush(context.Background())
	sent.Histogram("job_seconds", nil, 5).Merge([]uint64{1, 2, 3}, 6)
	samples := sent.Samples()
	if len(samples) != 2 || !slices.Equal(samples[1].Buckets, []float64{1, 2}) || samples[1].Sum != 6 {
		t.Errorf("expected the first buckets, got %+v", samples)
	}
}

func TestNativeCountsByTheSameBucketsAreOneSample(t *testing.T) {
	sent := fake(promstream.Options{})
	of := sent.Histogram("job_seconds", promstream.Labels{"a": "b"})
	counts := promstream.NativeCounts{Schema: 3, ZeroCount: 1, Positive: map[int]uint64{-2: 1, 9: 0}}
	of.MergeNative(counts, 1.5)
	counts.Negative = map[int]uint64{4: 2}
	of.MergeNative(counts, -2)
	counts.Schema = 2
	of.MergeNative(counts, 1)
	// One of classic buckets is another series here; the gateway refuses the second.
	sent.Histogram("job_seconds", promstream.Labels{"a": "b"}, 1).Observe(7)
	samples := sent.Samples()
	if len(samples) != 3 || samples[0].Type != "histogram" || samples[0].Buckets != nil || samples[0].Sum != -0.5 {
		t.Fatalf("expected three samples, got %+v", samples)
	}
	expected := promstreamtest.Native{
		Schema: 3, ZeroCount: 2,
		Positive: promstreamtest.Side{Indexes: []int{-2}, Counts: []uint64{2}},
		Negative: promstreamtest.Side{Indexes: []int{4}, Counts: []uint64{2}},
	}
	if got := *samples[0].Native; fmt.Sprint(got) != fmt.Sprint(expected) {
		t.Errorf("expected %+v, got %+v", expected, got)
	}
	sent.AssertObserved(t, "job_seconds", promstream.Labels{"a": "b"}, 11)
	if len(sent.Dropped()) > 0 {
		t.Errorf("dropped: %v", sent.Dropped())
	}
}

func TestNativeCountsHaveBounds(t *testing.T) {
	sent := fake(promstream.Options{})
	of, many := sent.Histogram("b", nil), map[int]uint64{}
	for index := range 5_000 {
		many[index] = 1
	}
	of.MergeNative(promstream.NativeCounts{Schema: -5}, 1)
	of.MergeNative(promstream.NativeCounts{Schema: 9}, 1)
	of.MergeNative(promstream.NativeCounts{ZeroThreshold: -1}, 1)
	of.MergeNative(promstream.NativeCounts{ZeroThreshold: math.NaN()}, 1)
	of.MergeNative(promstream.NativeCounts{}, math.Inf(1))
	of.MergeNative(promstream.NativeCounts{Negative: many}, 1)
	expected := map[string]uint64{
		promstream.BadBuckets: 4, promstream.NonFinite: 1, promstream.PayloadTooLarge: 1,
	}
	if got := sent.Dropped(); fmt.Sprint(got) != fmt.Sprint(expected) || len(sent.Samples()) > 0 {
		t.Errorf("expected %v, got %v", expected, got)
	}
	// Each resolution is a sample of its own, and the buffer holds as many as it may.
	sent = fake(promstream.Options{MaxSeries: 3})
	for index := range 9 {
		sent.Histogram("b", nil).MergeNative(promstream.NativeCounts{Schema: index % 8, ZeroCount: 1}, 0)
	}
	sent.AssertObserved(t, "b", nil, 9)
}

func TestBadCallsAreDropped(t *testing.T) {
	text := &log{}
	sent := fake(text.options())
	for range 2 {
		for _, name := range []string{"", " ", "\u2003\n", "a\xff"} {
			sent.Counter(name, nil).Inc()
		}
		for _, name := range []string{"", "__", "__a", "__é", "\xff", "a\xff"} {
			sent.Counter("a_total", promstream.Labels{name: "x"}).Inc()
		}
		sent.Histogram("a", promstream.Labels{"le": "1"}).Observe(1)
		sent.Summary("a", promstream.Labels{"quantile": "1"}).Observe(1)
		for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			sent.Gauge("a", nil).Set(value)
			sent.Histogram("a", nil).Observe(value)
			sent.Summary("a", nil).Observe(value)
		}
		sent.Counter("a_total", nil).Add(-1)
		sent.Counter("a_total", nil).Add(math.NaN())
		for index, buckets := range [][]float64{{2, 1}, {1, 1}, {math.NaN()}, {math.Inf(1)}, {math.Inf(-1), 1}} {
			sent.Histogram(fmt.Sprint("a", index), nil, buckets...).Observe(1)
		}
		sent.Histogram("b", nil, 1, 2).Merge([]uint64{1}, 1)
		sent.Histogram("b", nil, 1, 2).Merge([]uint64{1, 1, 1}, math.NaN())
		sent.Counter("a_total", promstream.Labels{"a": strings.Repeat("x", 40_000)}).Inc()
	}
	if samples := sent.Samples(); len(samples) > 0 {
		t.Errorf("expected none, got %+v", samples)
	}
	expected := map[string]uint64{
		promstream.InvalidName: 8, promstream.InvalidLabelName: 16, promstream.NonFinite: 22,
		promstream.NegativeCounter: 2, promstream.BadBuckets: 12, promstream.PayloadTooLarge: 2,
	}
	if got := sent.Dropped(); fmt.Sprint(got) != fmt.Sprint(expected) {
		t.Errorf("expected %v, got %v", expected, got)
	}
	if lines := strings.Count(text.String(), "\n"); lines != len(expected) {
		t.Errorf("expected a line for each reason, got %s", text)
	}
}

func TestNamesAreOfAnyScript(t *testing.T) {
	sent := fake(promstream.Options{})
	for _, name := range []string{"größe.total", "温度", "😀\n ", `"\`, "1x", "a:b", "U__a", "a\x00"} {
		labels := promstream.Labels{name: "x"}
		sent.Counter(name, labels).Inc()
		sent.AssertValue(t, name, labels, 1)
	}
	if len(sent.Dropped()) > 0 {
		t.Errorf("dropped: %v", sent.Dropped())
	}
}

func TestSumsThatOverflowAreDropped(t *testing.T) {
	sent := fake(promstream.Options{})
	for range 2 {
		sent.Counter("a_total", nil).Add(math.MaxFloat64)
		sent.Gauge("a", nil).Add(math.MaxFloat64)
		sent.Histogram("b", nil).Merge(make([]uint64, 12), math.MaxFloat64)
	}
	if dropped := sent.Dropped()[promstream.NonFinite]; dropped != 3 {
		t.Errorf("expected 3, got %v", sent.Dropped())
	}
	sent.AssertValue(t, "a_total", nil, math.MaxFloat64)
}

func TestUnitsThatTheNameDoesNotEndInAreLeftOut(t *testing.T) {
	text := &log{}
	sent := fake(text.options())
	sent.Describe("jobs_total", promstream.Description{Unit: "seconds", Help: "Jobs."})
	sent.Describe("size_bytes", promstream.Description{Objectives: map[float64]float64{1.5: .1}})
	sent.Counter("jobs_total", nil).Inc()
	if samples := sent.Samples(); samples[0].Unit != "" || samples[0].Help != "Jobs." {
		t.Errorf("expected no unit, got %+v", samples)
	}
	if !strings.Contains(text.String(), promstream.InvalidUnit) || !strings.Contains(text.String(), promstream.BadQuantiles) {
		t.Errorf("expected a word on it, got %s", text)
	}
}

func TestElements(t *testing.T) {
	for name, fill := range map[string]struct {
		with              func(*promstream.Client)
		samples, elements int
	}{
		"one is an element": {func(metrics *promstream.Client) {
			metrics.Counter("jobs_total", promstream.Labels{"n": "0"}).Inc()
		}, 1, 1},
		"several are one array": {func(metrics *promstream.Client) {
			for index := range 100 {
				metrics.Counter("jobs_total", promstream.Labels{"n": fmt.Sprint(index)}).Inc()
			}
		}, 100, 1},
		"many are few arrays": {func(metrics *promstream.Client) {
			for index := range 1000 {
				metrics.Counter("jobs_total", promstream.Labels{"n": fmt.Sprint(index)}).Inc()
			}
		}, 1000, 2},
		"operations of a gauge are samples of their own": {func(metrics *promstream.Client) {
			metrics.Gauge("jobs", nil).Max(1)
			metrics.Gauge("jobs", nil).Add(1)
			metrics.Gauge("others", nil).Add(1)
		}, 3, 1},
		"many observations are chunks": {func(metrics *promstream.Client) {
			for index := range 10_000 {
				metrics.Summary("job_bytes", nil).Observe(float64(index) / 7)
			}
		}, 6, 3},
	} {
		s := serve(t, nil)
		options := (&log{}).options()
		options.Timeout = 20 * time.Second
		metrics := connect(t, s.url(), options)
		fill.with(metrics)
		if err := metrics.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		samples := samplesOf(t, s.taken())
		if got := len(s.taken()); got != fill.elements || len(samples) != fill.samples {
			t.Errorf("%s: expected %d samples in %d elements, got %d in %d", name, fill.samples, fill.elements, len(samples), got)
		}
	}
}

// Samples of any sizes fill arrays up to their bound, in their order.
func TestArraysAreFilled(t *testing.T) {
	seed := time.Now().UnixNano()
	draw := rand.New(rand.NewSource(seed))
	for round := range 20 {
		s := serve(t, nil)
		options := (&log{}).options()
		options.Timeout = 20 * time.Second
		metrics := connect(t, s.url(), options)
		most := []int{100, 5_000, 30_000}[round%3]
		count := 1 + draw.Intn(50)
		for index := range count {
			text := strings.Repeat("é", draw.Intn(most/2))
			metrics.Counter("jobs_total", promstream.Labels{"n": fmt.Sprint(index), "text": text}).Inc()
		}
		if err := metrics.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		elements := s.taken()
		samples := samplesOf(t, elements)
		for index, sample := range samples {
			if !strings.Contains(sample, fmt.Sprintf(`"n":"%d"`, index)) {
				t.Fatalf("seed %d: expected sample %d, got %.80s", seed, index, sample)
			}
		}
		if len(samples) != count || len(metrics.Dropped()) > 0 {
			t.Errorf("seed %d: expected %d samples, got %d, dropped %v", seed, count, len(samples), metrics.Dropped())
		}
		first := 0
		for index, element := range elements[:len(elements)-1] {
			first += len(samplesOf(t, elements[index:index+1]))
			// A comma and, where it was a sample alone, two brackets.
			with := len(element) + 1 + len(samples[first])
			if element[0] != '[' {
				with += 2
			}
			if with <= 65_536 {
				t.Errorf("seed %d: element %d has room for the next sample", seed, index)
			}
		}
	}
}

// The samples of elements, whose form and size are as they should be.
func samplesOf(t *testing.T, elements []string) []string {
	t.Helper()
	var samples []string
	for _, element := range elements {
		if element[0] != '[' {
			samples = append(samples, element)
			continue
		}
		var many []json.RawMessage
		if err := json.Unmarshal([]byte(element), &many); err != nil {
			t.Fatalf("%v: %s", err, element)
		}
		if len(element) > 65_536 || len(many) < 2 {
			t.Errorf("expected an array of several samples, got %d in %d bytes", len(many), len(element))
		}
		for _, sample := range many {
			if len(sample) > 32_000 {
				t.Errorf("a sample has %d bytes", len(sample))
			}
			samples = append(samples, string(sample))
		}
	}
	return samples
}

func TestObservationsAreBounded(t *testing.T) {
	s := serve(t, nil)
	options := (&log{}).options()
	options.MaxObservations, options.Timeout = 100, 20*time.Second
	metrics := connect(t, s.url(), options)
	for range 250 {
		metrics.Summary("job_bytes", nil).Observe(1)
	}
	if got := len(s.taken()); got != 2 || len(metrics.Dropped()) > 0 {
		t.Errorf("expected 2 pushes, got %d, dropped %v", got, metrics.Dropped())
	}
}

func TestManyGoroutines(t *testing.T) {
	sent := fake(promstream.Options{MaxSeries: 50, Timeout: 20 * time.Second})
	var all sync.WaitGroup
	for worker := range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for index := range 1000 {
				sent.Counter("jobs_total", promstream.Labels{"n": fmt.Sprint(index % 40)}).Inc()
				sent.Histogram("job_seconds", nil).Observe(1)
				switch {
				case index%100 == worker:
					_ = sent.Flush(context.Background())
				case index%10 == 0:
					sent.FlushSoon()
				}
			}
		}()
	}
	all.Wait()
	total := 0.0
	for index := range 40 {
		value, _ := sent.Value("jobs_total", promstream.Labels{"n": fmt.Sprint(index)})
		total += value
	}
	if total != 8000 || len(sent.Dropped()) > 0 {
		t.Errorf("expected 8000, got %v, dropped %v", total, sent.Dropped())
	}
	sent.AssertObserved(t, "job_seconds", nil, 8000)
}

func TestTime(t *testing.T) {
	sent := fake(promstream.Options{})
	stop := sent.Time("job_seconds", nil)
	started := time.Now()
	stop()
	count, sum := sent.Observed("job_seconds", nil)
	if count != 1 || sum < 0 || sum > time.Since(started).Seconds()+1 {
		t.Errorf("expected one short observation, got %d of %v", count, sum)
	}
}

func TestMiddleware(t *testing.T) {
	s := serve(t, nil)
	metrics := connect(t, s.url(), (&log{}).options())
	answering := httptest.NewServer(metrics.Middleware(http.HandlerFunc(
		func(writer http.ResponseWriter, _ *http.Request) {
			metrics.Counter("requests_total", nil).Inc()
			writer.WriteHeader(http.StatusTeapot)
		})))
	defer answering.Close()
	response, err := http.Get(answering.URL)
	if err != nil || response.StatusCode != http.StatusTeapot {
		t.Fatalf("expected a teapot, got %v, %v", response, err)
	}
	_ = response.Body.Close()
	for deadline := time.Now().Add(20 * time.Second); len(s.taken()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was pushed")
		}
	}
}

func TestWrap(t *testing.T) {
	sent := fake(promstream.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	handler := promstream.Wrap(sent.Client, func(_ context.Context, in int) (string, error) {
		sent.Counter("jobs_total", nil).Inc()
		cancel()
		if in == 0 {
			panic("none")
		}
		return fmt.Sprint(in), fmt.Errorf("%d", in)
	})
	if out, err := handler(ctx, 7); out != "7" || err == nil || err.Error() != "7" {
		t.Errorf("expected 7, got %v, %v", out, err)
	}
	func() {
		defer func() {
			if recover() != "none" {
				t.Error("expected the panic of the handler")
			}
		}()
		_, _ = handler(ctx, 0)
	}()
	sent.AssertValue(t, "jobs_total", nil, 2)
}

func TestAContextThatHasEndedKeepsTheBuffer(t *testing.T) {
	sent := fake(promstream.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	sent.Counter("jobs_total", nil).Inc()
	if err := sent.Flush(ctx); err == nil || len(sent.Dropped()) > 0 {
		t.Errorf("expected an error and nothing dropped, got %v, %v", err, sent.Dropped())
	}
	sent.AssertValue(t, "jobs_total", nil, 1)
}

func TestEnvironment(t *testing.T) {
	s := serve(t, nil)
	t.Setenv("PROM_STREAM_GATEWAY_REDIS_URL", s.url())
	t.Setenv("PROM_STREAM_GATEWAY_KEY", "another-queue")
	keys := make(chan string, 1)
	s.behave(func(connection net.Conn, command []string) {
		keys <- command[1]
		_, _ = fmt.Fprint(connection, ":1\r\n")
	})
	metrics := promstream.FromEnvironment(promstream.Options{Timeout: 20 * time.Second})
	metrics.Counter("jobs_total", nil).Inc()
	if err := metrics.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if key := <-keys; key != "another-queue" {
		t.Errorf("expected another-queue, got %s", key)
	}

	text := &log{}
	t.Setenv("PROM_STREAM_GATEWAY_REDIS_URL", "http://user:secret@host")
	metrics = promstream.FromEnvironment(text.options())
	metrics.Counter("jobs_total", nil).Inc()
	if err := metrics.Flush(context.Background()); err == nil || strings.Contains(err.Error()+text.String(), "secret") {
		t.Errorf("expected an error without the password, got %v: %s", err, text)
	}

	t.Setenv("PROM_STREAM_GATEWAY_DISABLED", "1")
	metrics = promstream.FromEnvironment(text.options())
	metrics.Counter("jobs_total", nil).Inc()
	if err := metrics.Close(context.Background()); err != nil || len(metrics.Dropped()) > 0 {
		t.Errorf("expected nothing, got %v, %v", err, metrics.Dropped())
	}
	sent := fake(promstream.Options{})
	sent.Counter("jobs_total", nil).Inc()
	sent.AssertValue(t, "jobs_total", nil, 1)
}

func TestNoClientDoesNothing(t *testing.T) {
	var metrics *promstream.Client
	metrics.Describe("jobs_total", promstream.Description{Help: "Jobs."})
	metrics.Counter("jobs_total", nil).Inc()
	metrics.Gauge("jobs", nil).Dec()
	metrics.Time("job_seconds", nil)()
	metrics.FlushSoon()
	if err := metrics.Flush(context.Background()); err != nil || metrics.Dropped() != nil {
		t.Errorf("expected nothing, got %v", err)
	}
	if err := metrics.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
