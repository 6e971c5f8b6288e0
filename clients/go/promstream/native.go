package promstream

import (
	"maps"
	"slices"
	"strconv"
)

// NativeCounts says how many observations fell into each bucket of a native
// histogram, as Prometheus counts them.
type NativeCounts struct {
	// Schema is how fine the buckets are, from -4 to 8: a power of two has 2^Schema
	// of them.
	Schema int
	// ZeroThreshold is up to which magnitude an observation counts as zero.
	ZeroThreshold float64
	// ZeroCount is how many observations did.
	ZeroCount uint64
	// Positive has the counts by the index of the bucket, which is that of a value v:
	// ceil(log2(v) * 2^Schema). Negative has those below zero, by their magnitudes.
	Positive, Negative map[int]uint64
}

// nativeCounts is a sample of them.
type nativeCounts struct {
	NativeCounts
	sum float64
}

// Counts by the same buckets become one sample.
func (s *series) mergeNative(counts NativeCounts, sum float64, in *buffer) string {
	if counts.Schema < -4 || counts.Schema > 8 || !finite(counts.ZeroThreshold) || counts.ZeroThreshold < 0 {
		return BadBuckets
	}
	if max(len(counts.Positive), len(counts.Negative)) > maxSampleValues {
		return PayloadTooLarge
	}
	if !finite(sum) {
		return NonFinite
	}
	if len(s.natives) > 0 {
		last := &s.natives[len(s.natives)-1]
		if last.Schema == counts.Schema && last.ZeroThreshold == counts.ZeroThreshold {
			return last.add(counts, sum)
		}
		if in.samples >= in.maxSamples {
			return BufferFull
		}
		in.samples++
	}
	counts.Positive, counts.Negative = maps.Clone(counts.Positive), maps.Clone(counts.Negative)
	s.natives = append(s.natives, nativeCounts{counts, sum})
	return ""
}

func (n *nativeCounts) add(counts NativeCounts, sum float64) string {
	if !finite(n.sum + sum) {
		return NonFinite
	}
	positive, negative := added(n.Positive, counts.Positive), added(n.Negative, counts.Negative)
	if max(len(positive), len(negative)) > maxSampleValues {
		return PayloadTooLarge
	}
	n.Positive, n.Negative = positive, negative
	n.ZeroCount += counts.ZeroCount
	n.sum += sum
	return ""
}

func added(left, right map[int]uint64) map[int]uint64 {
	sum := make(map[int]uint64, max(len(left), len(right)))
	maps.Copy(sum, left)
	for index, count := range right {
		sum[index] += count
	}
	return sum
}

func (s *series) packNative(into *packer, one nativeCounts) {
	from := s.begin(into)
	into.text = append(into.text, `,"native":{"schema":`...)
	into.text = strconv.AppendInt(into.text, int64(one.Schema), 10)
	into.text = append(into.text, `,"zero_threshold":`...)
	into.text = appendNumber(into.text, one.ZeroThreshold)
	into.text = append(into.text, `,"zero_count":`...)
	into.text = strconv.AppendUint(into.text, one.ZeroCount, 10)
	into.text = appendSide(into.text, "positive", one.Positive)
	into.text = appendSide(into.text, "negative", one.Negative)
	into.text = append(into.text, `},"sum":`...)
	into.text = append(appendNumber(into.text, one.sum), '}')
	into.commit(from)
}

// Appends what is above or below zero, with nothing where nothing is.
func appendSide(to []byte, side string, counts map[int]uint64) []byte {
	var indexes []int
	for index, count := range counts {
		if count > 0 {
			indexes = append(indexes, index)
		}
	}
	if len(indexes) == 0 {
		return to
	}
	slices.Sort(indexes)
	to = append(append(append(to, `,"`...), side...), `":{"indexes":[`...)
	for _, index := range indexes {
		to = append(strconv.AppendInt(to, int64(index), 10), ',')
	}
	to = append(to[:len(to)-1], `],"counts":[`...)
	for _, index := range indexes {
		to = append(strconv.AppendUint(to, counts[index], 10), ',')
	}
	return append(to[:len(to)-1], `]}`...)
}
