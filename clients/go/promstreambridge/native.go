package promstreambridge

import (
	"maps"
	"math"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstream"
)

// nativeState is what a histogram of native buckets was at.
type nativeState struct {
	promstream.NativeCounts
	sum float64
	// When it began, by what the library says.
	began time.Time
}

// Whether it has native buckets alone, in which whole observations were counted:
// those of a schema that is -53 are no native ones, and counts may be fractions.
func isNative(of *dto.Histogram) bool {
	return of.Schema != nil && len(of.GetBucket()) == 0
}

func canBeSent(of *dto.Histogram) bool {
	return of.GetSchema() >= -4 && of.GetSchema() <= 8 && of.SampleCountFloat == nil
}

func nativeStateOf(of *dto.Histogram) nativeState {
	return nativeState{
		NativeCounts: promstream.NativeCounts{
			Schema:        int(of.GetSchema()),
			ZeroThreshold: of.GetZeroThreshold(),
			ZeroCount:     of.GetZeroCount(),
			Positive:      countsOf(of.GetPositiveSpan(), of.GetPositiveDelta()),
			Negative:      countsOf(of.GetNegativeSpan(), of.GetNegativeDelta()),
		},
		sum:   of.GetSampleSum(),
		began: of.GetCreatedTimestamp().AsTime(),
	}
}

// The counts by the index of the bucket: spans have buckets that follow each other,
// and deltas how far each count is above the one before it.
func countsOf(spans []*dto.BucketSpan, deltas []int64) map[int]uint64 {
	counts := map[int]uint64{}
	index, count := 0, int64(0)
	for _, span := range spans {
		index += int(span.GetOffset())
		for range span.GetLength() {
			if len(deltas) == 0 {
				return counts
			}
			count += deltas[0]
			deltas = deltas[1:]
			if count > 0 {
				counts[index] = uint64(count)
			}
			index++
		}
	}
	return counts
}

// What has been observed since the last push; nil where that is nothing. One that
// has fewer in a bucket than it had, or says that it began since, began anew.
func (s nativeState) since(last *nativeState) *nativeState {
	if last == nil || !s.began.Equal(last.began) || s.Schema > last.Schema || s.ZeroThreshold < last.ZeroThreshold {
		return &s
	}
	before := last.by(s.Schema, s.ZeroThreshold)
	if s.ZeroCount < before.ZeroCount {
		return &s
	}
	added := s
	added.sum -= last.sum
	added.ZeroCount -= before.ZeroCount
	var positive, negative bool
	added.Positive, positive = difference(s.Positive, before.Positive)
	added.Negative, negative = difference(s.Negative, before.Negative)
	if !positive || !negative {
		return &s
	}
	if added.ZeroCount == 0 && len(added.Positive) == 0 && len(added.Negative) == 0 {
		return nil
	}
	return &added
}

// The same observations by coarser buckets, with a wider one around zero: what the
// library has made of its own when they had become too many.
func (s nativeState) by(schema int, zeroThreshold float64) promstream.NativeCounts {
	counts := promstream.NativeCounts{Schema: schema, ZeroThreshold: zeroThreshold, ZeroCount: s.ZeroCount}
	within := math.MinInt
	if zeroThreshold > s.ZeroThreshold {
		// It ends where a bucket does, which the logarithm meets nearly.
		within = int(math.Round(math.Ldexp(math.Log2(zeroThreshold), s.Schema)))
	}
	coarser := func(of map[int]uint64) map[int]uint64 {
		by := map[int]uint64{}
		for index, count := range of {
			if index <= within {
				counts.ZeroCount += count
			} else {
				by[(index-1)>>(s.Schema-schema)+1] += count
			}
		}
		return by
	}
	counts.Positive, counts.Negative = coarser(s.Positive), coarser(s.Negative)
	return counts
}

// How many more each bucket has; false where one has fewer.
func difference(now, before map[int]uint64) (map[int]uint64, bool) {
	more := maps.Clone(now)
	for index, count := range before {
		if now[index] < count {
			return nil, false
		}
		if more[index] -= count; more[index] == 0 {
			delete(more, index)
		}
	}
	return more, true
}
