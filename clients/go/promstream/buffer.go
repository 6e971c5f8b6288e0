package promstream

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Beyond this many observations between two flushes, a histogram's series is kept
// as counts by bucket.
const maxValues = 32

type kind string

const (
	counter   kind = "counter"
	gauge     kind = "gauge"
	histogram kind = "histogram"
	summary   kind = "summary"
	// A histogram of native buckets.
	native kind = "native histogram"
)

// typeName is the type that a sample of the kind has.
func (k kind) typeName() kind {
	if k == native {
		return histogram
	}
	return k
}

// family is what is known of a name, in the form in which it is sent.
type family struct {
	buckets []float64
	// Fields of one sample of each push, and of each sample.
	once, each string
	// The last push that had the former.
	told uint64
}

func newFamily(name string, description Description) (*family, string, string) {
	described := &family{}
	reason := ""
	if description.Help != "" {
		described.once = `,"help":` + string(appendText(nil, description.Help))
	}
	if unit := description.Unit; unit != "" {
		if strings.HasSuffix(strings.TrimSuffix(name, "_total"), "_"+unit) {
			described.once += `,"unit":` + string(appendText(nil, unit))
		} else {
			reason = InvalidUnit
		}
	}
	if len(description.Buckets) > 0 {
		if described.buckets = checkedBuckets(description.Buckets); described.buckets == nil {
			reason = BadBuckets
		}
	}
	if len(description.Objectives) > 0 {
		objectives, fine := objectivesJSON(description.Objectives)
		if !fine {
			reason = BadQuantiles
		}
		described.each = objectives
	}
	if seconds := description.TTL.Seconds(); seconds > 0 {
		described.each += `,"ttl":` + string(appendNumber(nil, seconds))
	}
	return described, reason, fmt.Sprintf("%q is described by %+v", shortened(name), description)
}

// Nil where they are none. +Inf, which the gateway adds, is left out.
func checkedBuckets(buckets []float64) []float64 {
	if last := len(buckets) - 1; last >= 0 && math.IsInf(buckets[last], 1) {
		buckets = buckets[:last]
	}
	for index, bound := range buckets {
		if !finite(bound) || (index > 0 && bound <= buckets[index-1]) {
			return nil
		}
	}
	if len(buckets) == 0 {
		return nil
	}
	return slices.Clone(buckets)
}

func objectivesJSON(objectives map[float64]float64) (string, bool) {
	var quantiles, errors []float64
	for quantile := range objectives {
		quantiles = append(quantiles, quantile)
	}
	slices.Sort(quantiles)
	for _, quantile := range quantiles {
		if err := objectives[quantile]; !(quantile >= 0 && quantile <= 1 && err >= 0 && err <= 1) {
			return "", false
		}
		errors = append(errors, objectives[quantile])
	}
	text := appendNumbers([]byte(`,"quantiles":`), quantiles)
	return string(appendNumbers(append(text, `,"epsilons":`...), errors)), true
}

func finite(value float64) bool { return !math.IsNaN(value) && !math.IsInf(value, 0) }

type label struct{ name, value string }

// By name; those without a value are none.
func labelsOf(labels Labels) []label {
	var sorted []label
	for name, value := range labels {
		if value != "" {
			sorted = insert(sorted, label{name, value})
		}
	}
	return sorted
}

// Labels are few, so that sorting them one by one is the quickest.
func insert(sorted []label, one label) []label {
	at := len(sorted)
	sorted = append(sorted, one)
	for ; at > 0 && sorted[at-1].name > one.name; at-- {
		sorted[at] = sorted[at-1]
	}
	sorted[at] = one
	return sorted
}

// head is a sample's type, name and labels as JSON, which is the key of its series
// too. It is written anew for each call, into the same memory.
type head struct {
	text   []byte
	labels []label
}

func (h *head) write(kind kind, name string, defaults []label, labels Labels) string {
	plain := isPlainName(name)
	if !plain && !isName(name) {
		return InvalidName
	}
	h.labels = h.labels[:0]
	for _, one := range defaults {
		if _, replaced := labels[one.name]; !replaced {
			h.labels = append(h.labels, one)
		}
	}
	for name, value := range labels {
		if value != "" {
			h.labels = insert(h.labels, label{name, value})
		}
	}

	h.text = append(h.text[:0], `"type":"`...)
	h.text = append(h.text, kind.typeName()...)
	h.text = append(h.text, `","name":`...)
	h.text = appendName(h.text, name, plain)
	for index, one := range h.labels {
		plain := isPlainName(one.name)
		if isReserved(kind, one.name) || !plain && !isLabelName(one.name) {
			return InvalidLabelName
		}
		if index == 0 {
			h.text = append(h.text, `,"labels":{`...)
		} else {
			h.text = append(h.text, ',')
		}
		h.text = append(appendName(h.text, one.name, plain), ':')
		h.text = appendText(h.text, one.value)
	}
	if len(h.labels) > 0 {
		h.text = append(h.text, '}')
	}
	return ""
}

// Letters, digits, _ and :, as nearly all names are: those need no further look.
func isPlainName(name string) bool {
	for index := 0; index < len(name); index++ {
		at := name[index]
		letter := 'a' <= at|0x20 && at|0x20 <= 'z' || at == '_' || at == ':'
		if !letter && (at < '0' || at > '9') {
			return false
		}
	}
	return name != ""
}

// Any text that is not blank.
func isName(name string) bool {
	return strings.TrimSpace(name) != "" && utf8.ValidString(name)
}

// Any text.
func isLabelName(name string) bool { return name != "" && utf8.ValidString(name) }

// Names of labels that are Prometheus' own.
func isReserved(kind kind, name string) bool {
	return strings.HasPrefix(name, "__") ||
		kind.typeName() == histogram && name == "le" || kind == summary && name == "quantile"
}

func appendName(to []byte, name string, plain bool) []byte {
	if !plain {
		return appendText(to, name)
	}
	return append(append(append(to, '"'), name...), '"')
}

// operation is what is done to a gauge.
type operation struct {
	op    string
	value float64
}

// series is what has come of one since the last flush.
type series struct {
	kind kind
	head string
	// What tells it from all others: the head, and that it is of native buckets.
	key    string
	name   string
	family *family
	// Whether something has.
	pending bool

	// Of a counter.
	total float64
	// Of a gauge, in this order.
	operations []operation
	// Of a histogram or summary: observations.
	values []float64
	// Of a histogram with many: how many fell into each bucket, and their sum.
	buckets []float64
	counts  []uint64
	sum     float64
	// Of native buckets: each is a sample.
	natives []nativeCounts
}

func (s *series) count(value float64) string {
	if value < 0 {
		return NegativeCounter
	}
	total := s.total + value
	if !finite(total) {
		return NonFinite
	}
	s.total = total
	return ""
}

// Operations that follow each other are one where that comes to the same.
func (s *series) operate(next operation, in *buffer) string {
	if !finite(next.value) {
		return NonFinite
	}
	if next.op == "set" {
		in.samples -= max(len(s.operations)-1, 0)
		s.operations = append(s.operations[:0], next)
		return ""
	}
	if len(s.operations) == 0 {
		s.operations = append(s.operations, next)
		return ""
	}
	last := &s.operations[len(s.operations)-1]
	if last.op != "set" && last.op != next.op {
		if in.samples >= in.maxSamples {
			return BufferFull
		}
		in.samples++
		s.operations = append(s.operations, next)
		return ""
	}
	value := last.value
	switch next.op {
	case "add":
		value += next.value
	case "max":
		value = max(value, next.value)
	case "min":
		value = min(value, next.value)
	}
	if !finite(value) {
		return NonFinite
	}
	last.value = value
	return ""
}

func (s *series) observe(value float64, in *buffer) string {
	if !finite(value) {
		return NonFinite
	}
	if s.counts != nil {
		return s.addCounts(s.bucketOf(value), 1, value)
	}
	if in.observations >= in.maxObservations {
		return BufferFull
	}
	s.values = append(s.values, value)
	in.observations++
	if s.kind == histogram && len(s.values) > maxValues {
		return s.fold(in)
	}
	return ""
}

// From observations to counts.
func (s *series) fold(in *buffer) string {
	values := s.values
	in.observations -= len(values)
	s.values, s.counts = nil, make([]uint64, len(s.buckets)+1)
	reason := ""
	for _, value := range values {
		if why := s.addCounts(s.bucketOf(value), 1, value); why != "" {
			reason = why
		}
	}
	return reason
}

func (s *series) bucketOf(value float64) int {
	index, _ := slices.BinarySearch(s.buckets, value)
	return index
}

func (s *series) addCounts(bucket int, count uint64, sum float64) string {
	total := s.sum + sum
	if !finite(total) {
		return NonFinite
	}
	s.sum = total
	s.counts[bucket] += count
	return ""
}

func (s *series) merge(counts []uint64, sum float64, in *buffer) string {
	if len(counts) != len(s.buckets) && len(counts) != len(s.buckets)+1 {
		return BadBuckets
	}
	if !finite(sum) || !finite(s.sum+sum) {
		return NonFinite
	}
	if s.counts == nil {
		s.fold(in)
	}
	s.sum += sum
	for index, count := range counts {
		s.counts[index] += count
	}
	return ""
}

// Begins anew, in the same memory unless it is much.
func (s *series) reset() {
	s.pending, s.total, s.sum, s.counts = false, 0, 0, nil
	s.operations, s.values, s.natives = s.operations[:0], s.values[:0], nil
	if cap(s.values) > 2*maxValues {
		s.values = nil
	}
}

// buffer is what has come since the last flush. How many samples that is, is
// bounded, and so is how many observations.
type buffer struct {
	// Those of former flushes too, since they will come again.
	known map[string]*series
	// What is pending, in the order in which it came.
	pending         []*series
	samples         int
	observations    int
	maxSamples      int
	maxObservations int
	// How many pushes there were, and how large the last one was.
	pushes uint64
	size   int
}

func newBuffer(options Options) *buffer {
	return &buffer{
		known:           map[string]*series{},
		maxSamples:      options.MaxSeries,
		maxObservations: options.MaxObservations,
	}
}

// Makes a series pending.
func (b *buffer) add(one *series) {
	if b.known[one.key] == nil {
		if len(b.known) >= b.maxSamples {
			b.forget()
		}
		b.known[one.key] = one
	}
	one.pending = true
	b.pending = append(b.pending, one)
	b.samples++
}

// Forgets series that are not pending.
func (b *buffer) forget() {
	for key, one := range b.known {
		if !one.pending {
			delete(b.known, key)
		}
	}
}
