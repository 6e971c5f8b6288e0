// Package promstreamtest has a client for tests of code that sends metrics. What
// it is given goes all the way to the JSON that a gateway would get, and stays in
// the process:
//
//	fake := promstreamtest.New(promstream.Options{})
//	handle(fake.Client)
//	fake.AssertValue(t, "jobs_total", promstream.Labels{"queue": "mail"}, 1)
package promstreamtest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstream"
)

// Sample is one that was sent.
type Sample struct {
	Type    string            `json:"type"`
	Name    string            `json:"name"`
	Labels  map[string]string `json:"labels"`
	Help    string            `json:"help"`
	Unit    string            `json:"unit"`
	Op      string            `json:"op"`
	Value   *float64          `json:"value"`
	Values  []float64         `json:"values"`
	Buckets []float64         `json:"buckets"`
	Counts  []uint64          `json:"counts"`
	Native  *Native           `json:"native"`
	Sum     float64           `json:"sum"`
	TTL     float64           `json:"ttl"`
}

// Native is what a sample has that was counted by native buckets.
type Native struct {
	Schema        int     `json:"schema"`
	ZeroThreshold float64 `json:"zero_threshold"`
	ZeroCount     uint64  `json:"zero_count"`
	Positive      Side    `json:"positive"`
	Negative      Side    `json:"negative"`
}

// Side has how many observations lie in the buckets of these indexes.
type Side struct {
	Indexes []int    `json:"indexes"`
	Counts  []uint64 `json:"counts"`
}

func (n *Native) count() (count uint64) {
	if n == nil {
		return 0
	}
	count = n.ZeroCount
	for _, within := range append(append([]uint64(nil), n.Positive.Counts...), n.Negative.Counts...) {
		count += within
	}
	return count
}

// Fake is a client whose samples are kept.
type Fake struct {
	*promstream.Client

	mutex   sync.Mutex
	samples []Sample
}

// New makes one. It keeps samples although PROM_STREAM_GATEWAY_DISABLED is set.
func New(options promstream.Options) *Fake {
	fake := &Fake{}
	options.AlwaysOn = true
	fake.Client = promstream.New(list{fake}, options)
	return fake
}

// list takes what the client pushes.
type list struct{ fake *Fake }

func (l list) LPush(ctx context.Context, _ string, values ...any) *redis.IntCmd {
	pushed := redis.NewIntCmd(ctx)
	for _, value := range values {
		samples, err := decoded(value)
		if err != nil {
			pushed.SetErr(err)
			return pushed
		}
		l.fake.mutex.Lock()
		l.fake.samples = append(l.fake.samples, samples...)
		l.fake.mutex.Unlock()
	}
	pushed.SetVal(int64(len(values)))
	return pushed
}

func decoded(element any) ([]Sample, error) {
	text, is := element.([]byte)
	if !is {
		return nil, fmt.Errorf("expected JSON, got a %T", element)
	}
	var many []Sample
	if text[0] == '[' {
		err := json.Unmarshal(text, &many)
		return many, err
	}
	var one Sample
	err := json.Unmarshal(text, &one)
	return []Sample{one}, err
}

// Samples flushes, and returns all samples since New or Reset in their order.
func (f *Fake) Samples() []Sample {
	// What goes wrong is in Dropped.
	_ = f.Flush(context.Background())
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return append([]Sample(nil), f.samples...)
}

// Reset forgets what was sent.
func (f *Fake) Reset() {
	_ = f.Samples()
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.samples = nil
}

// Value is what a counter or gauge would show, and whether it was sent at all.
// Labels are all those of the series, those of the options too.
func (f *Fake) Value(name string, labels promstream.Labels) (float64, bool) {
	value, sent := 0.0, false
	for _, sample := range f.of(name, labels) {
		if sample.Value == nil {
			continue
		}
		switch next := *sample.Value; {
		case sample.Type == "counter" || sample.Op == "add":
			value += next
		case sample.Op == "max" && sent:
			value = math.Max(value, next)
		case sample.Op == "min" && sent:
			value = math.Min(value, next)
		default:
			value = next
		}
		sent = true
	}
	return value, sent
}

// Observed is how many observations a histogram or summary has had, and their sum.
func (f *Fake) Observed(name string, labels promstream.Labels) (count uint64, sum float64) {
	for _, sample := range f.of(name, labels) {
		if sample.Value != nil {
			count++
			sum += *sample.Value
		}
		for _, value := range sample.Values {
			count++
			sum += value
		}
		for _, within := range sample.Counts {
			count += within
		}
		count += sample.Native.count()
		sum += sample.Sum
	}
	return count, sum
}

func (f *Fake) of(name string, labels promstream.Labels) []Sample {
	var found []Sample
	for _, sample := range f.Samples() {
		if sample.Name == name && maps.Equal(sample.Labels, labels) {
			found = append(found, sample)
		}
	}
	return found
}

// AssertValue fails the test unless a counter or gauge was sent and shows that.
func (f *Fake) AssertValue(t testing.TB, name string, labels promstream.Labels, expected float64) {
	t.Helper()
	value, sent := f.Value(name, labels)
	if !sent {
		t.Errorf("%s%v was not sent, expected %v", name, labels, expected)
	} else if value != expected {
		t.Errorf("%s%v: expected %v, got %v", name, labels, expected, value)
	}
}

// AssertObserved fails the test unless a histogram or summary has had that many
// observations.
func (f *Fake) AssertObserved(t testing.TB, name string, labels promstream.Labels, expected uint64) {
	t.Helper()
	if count, _ := f.Observed(name, labels); count != expected {
		t.Errorf("%s%v: expected %d observations, got %d", name, labels, expected, count)
	}
}

// AssertNotSent fails the test if a sample of that name was sent.
func (f *Fake) AssertNotSent(t testing.TB, name string) {
	t.Helper()
	for _, sample := range f.Samples() {
		if sample.Name == name {
			t.Errorf("%s%v was sent", name, sample.Labels)
		}
	}
}
