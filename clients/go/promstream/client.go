package promstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// The list that a gateway takes from unless it is told another one.
const defaultKey = "prom-stream-gateway:metric-queue"

// What go-redis waits for is bounded by the context, and this by the promise of
// the package.
const defaultTimeout = 200 * time.Millisecond

// How often the same reason for dropping samples is logged.
const sayAgainAfter = time.Minute

// Reasons for dropping samples, as [Client.Dropped] counts them. Those about a
// sample itself have the names that the gateway gives them.
const (
	InvalidName      = "invalid_name"
	InvalidLabelName = "invalid_label_name"
	NonFinite        = "non_finite"
	NegativeCounter  = "negative_counter"
	BadBuckets       = "bad_buckets"
	BadQuantiles     = "bad_quantiles"
	InvalidUnit      = "invalid_unit"
	PayloadTooLarge  = "payload_too_large"
	// The buffer was full, and a push was under way already.
	BufferFull = "buffer_full"
	// No connection, or it was cut.
	RedisUnreachable = "redis_unreachable"
	// No answer in time.
	RedisTimeout = "redis_timeout"
	// Redis, or the gateway's own queue, answered with an error.
	RedisError = "redis_error"
)

// DefaultBuckets are the bounds of a histogram that is given none: those of
// Prometheus' own client libraries.
var DefaultBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// Labels are the labels of a series. One whose value is empty is no label.
type Labels map[string]string

// Options of a client; each may be left out.
type Options struct {
	// Key is the list that the gateway takes from, as it stands in its setting
	// Redis.MetricQueueKey. Where it is left out, the environment variable
	// PROM_STREAM_GATEWAY_KEY holds, else "prom-stream-gateway:metric-queue".
	Key string
	// Partitions is how many the queue has: the gateway's setting
	// Redis.MetricQueuePartitions. The client pushes to one of them, which it chooses
	// at random when it is made. Where it is left out, the environment variable
	// PROM_STREAM_GATEWAY_PARTITIONS holds, else 1.
	Partitions int
	// Labels are those of every series. A call's own labels win.
	Labels Labels
	// Buckets of histograms that are given none, by default DefaultBuckets.
	Buckets []float64
	// Timeout is how long a flush takes at most, by default 0.2 seconds.
	Timeout time.Duration
	// MaxSeries is how many series are buffered at most, by default 1,000. The
	// call that finds the buffer full flushes it.
	MaxSeries int
	// MaxObservations is how many observations are buffered at most, by default
	// 10,000. Those of histograms are soon counts, so this is about summaries.
	MaxObservations int
	// Logger is told why samples were dropped, by default slog's default one.
	Logger *slog.Logger
	// AlwaysOn lets the client send although PROM_STREAM_GATEWAY_DISABLED is set.
	AlwaysOn bool
}

// LPusher is what a client needs of a Redis: *redis.Client, *redis.ClusterClient,
// *redis.Ring and redis.UniversalClient have it.
type LPusher interface {
	LPush(ctx context.Context, key string, values ...any) *redis.IntCmd
}

// Client buffers samples and sends them. Its zero value is of no use: make one
// with [New], [Connect] or [FromEnvironment].
type Client struct {
	redis LPusher
	close func() error
	// Whether a push of that connection ends with its context.
	heeds    bool
	options  Options
	defaults []label
	disabled bool

	// Whoever has put something in here pushes: one push at a time, and no more
	// than one that has outlived its time.
	turn chan struct{}
	// Whether a goroutine of FlushSoon waits for its turn.
	soon chan struct{}

	mutex    sync.Mutex
	head     head
	buffer   *buffer
	families map[string]*family
	dropped  map[string]uint64
	said     map[string]time.Time
}

// New makes a client on a connection of yours. Give go-redis the option
// ContextTimeoutEnabled, without which it waits for 5 seconds whatever the
// context says, and MaxRetries -1, without which it repeats a push whose answer
// was lost, so that it counts twice; [Connect] does both. The client keeps its
// bound without them too: it leaves the push to itself when its time is over.
func New(connection LPusher, options Options) *Client {
	client := newClient(connection, options)
	if with, ok := connection.(*redis.Client); ok && with != nil && !client.disabled {
		client.heeds = with.Options().ContextTimeoutEnabled
		client.warnOf(with.Options())
	}
	return client
}

// partitionOf is the key of one of so many partitions, at random. The first one has
// the key of the queue itself.
func partitionOf(key string, partitions int) string {
	if partitions <= 1 {
		return key
	}
	if partition := rand.IntN(partitions); partition > 0 {
		return key + ":" + strconv.Itoa(partition)
	}
	return key
}

func newClient(connection LPusher, options Options) *Client {
	if options.Key == "" {
		options.Key = os.Getenv("PROM_STREAM_GATEWAY_KEY")
	}
	if options.Key == "" {
		options.Key = defaultKey
	}
	if options.Partitions <= 0 {
		options.Partitions, _ = strconv.Atoi(os.Getenv("PROM_STREAM_GATEWAY_PARTITIONS"))
	}
	options.Key = partitionOf(options.Key, options.Partitions)
	if options.Timeout <= 0 {
		options.Timeout = defaultTimeout
	}
	if options.MaxSeries <= 0 {
		options.MaxSeries = 1_000
	}
	if options.MaxObservations <= 0 {
		options.MaxObservations = 10_000
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	if len(options.Buckets) == 0 {
		options.Buckets = DefaultBuckets
	}
	options.Buckets = slices.Clone(options.Buckets)
	off, _ := strconv.ParseBool(os.Getenv("PROM_STREAM_GATEWAY_DISABLED"))
	return &Client{
		redis:    connection,
		options:  options,
		defaults: labelsOf(options.Labels),
		disabled: off && !options.AlwaysOn,
		turn:     make(chan struct{}, 1),
		soon:     make(chan struct{}, 1),
		buffer:   newBuffer(options),
		families: map[string]*family{},
		dropped:  map[string]uint64{},
		said:     map[string]time.Time{},
	}
}

// A connection that others made has the settings that they chose.
func (c *Client) warnOf(options *redis.Options) {
	if options.ContextTimeoutEnabled && options.MaxRetries <= 0 {
		return
	}
	c.options.Logger.Warn("the connection for metrics may hang in the background or count samples twice: "+
		"set ContextTimeoutEnabled to true and MaxRetries to -1, or use promstream.Connect",
		"ContextTimeoutEnabled", options.ContextTimeoutEnabled, "MaxRetries", options.MaxRetries)
}

// Description is what holds for all series of a name.
type Description struct {
	// Help is the text of # HELP.
	Help string
	// Unit is that of OpenMetrics. The name has to end in it: seconds for
	// job_seconds, bytes for sent_bytes_total.
	Unit string
	// Buckets of a histogram: upper bounds, increasing; +Inf is added.
	Buckets []float64
	// Objectives of a summary: the quantiles that the gateway estimates, each
	// with its error in rank. Without, a summary has a sum and a count.
	Objectives map[float64]float64
	// TTL is how long a series may be idle until the gateway drops it; without,
	// the gateway's settings say.
	TTL time.Duration
}

// Describe says what holds for all series of a name. Call it once for each name,
// when the program starts.
func (c *Client) Describe(name string, description Description) {
	if c == nil || c.disabled {
		return
	}
	described, reason, detail := newFamily(name, description)
	if reason != "" {
		c.drop(reason, 0, detail)
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	_, known := c.families[name]
	if known || len(c.families) < c.options.MaxSeries {
		c.families[name] = described
	}
}

// Counter is a counter's series.
type Counter struct{ at place }

// Counter names a counter's series. Let the name end in _total.
func (c *Client) Counter(name string, labels Labels) Counter {
	return Counter{place{c, counter, name, labels, nil}}
}

// Inc adds 1.
func (s Counter) Inc() { s.Add(1) }

// Add adds a value that is not negative.
func (s Counter) Add(value float64) {
	s.at.record(func(to *series, _ *buffer) string { return to.count(value) })
}

// Gauge is a gauge's series.
type Gauge struct{ at place }

// Gauge names a gauge's series.
func (c *Client) Gauge(name string, labels Labels) Gauge {
	return Gauge{place{c, gauge, name, labels, nil}}
}

// Set sets it.
func (s Gauge) Set(value float64) { s.apply(operation{"set", value}) }

// Add adds to it; a negative value takes away.
func (s Gauge) Add(value float64) { s.apply(operation{"add", value}) }

// Inc adds 1.
func (s Gauge) Inc() { s.Add(1) }

// Dec takes 1 away.
func (s Gauge) Dec() { s.Add(-1) }

// Max raises it to the value where it is lower.
func (s Gauge) Max(value float64) { s.apply(operation{"max", value}) }

// Min lowers it to the value where it is higher.
func (s Gauge) Min(value float64) { s.apply(operation{"min", value}) }

func (s Gauge) apply(next operation) {
	s.at.record(func(to *series, in *buffer) string { return to.operate(next, in) })
}

// Histogram is a histogram's series.
type Histogram struct{ at place }

// Histogram names a histogram's series. The first buckets that a name is given,
// here or by Describe, hold for all of its series.
func (c *Client) Histogram(name string, labels Labels, buckets ...float64) Histogram {
	return Histogram{place{c, histogram, name, labels, buckets}}
}

// Observe adds an observation.
func (s Histogram) Observe(value float64) {
	s.at.record(func(to *series, in *buffer) string { return to.observe(value, in) })
}

// Merge adds observations that were counted before: how many fell into each
// bucket, not cumulative, beginning with the lowest, with one more count for +Inf,
// and the sum of all.
func (s Histogram) Merge(counts []uint64, sum float64) {
	s.at.record(func(to *series, in *buffer) string { return to.merge(counts, sum, in) })
}

// MergeNative adds observations that were counted before by native buckets, and the
// sum of all. Such a histogram has no other buckets: Observe and Merge are for others.
func (s Histogram) MergeNative(counts NativeCounts, sum float64) {
	s.at.kind = native
	s.at.record(func(to *series, in *buffer) string { return to.mergeNative(counts, sum, in) })
}

// Summary is a summary's series.
type Summary struct{ at place }

// Summary names a summary's series. Its quantiles are told by Describe.
func (c *Client) Summary(name string, labels Labels) Summary {
	return Summary{place{c, summary, name, labels, nil}}
}

// Observe adds an observation.
func (s Summary) Observe(value float64) {
	s.at.record(func(to *series, in *buffer) string { return to.observe(value, in) })
}

// Time observes, in a histogram, the seconds until the function that it returns is
// called:
//
//	defer metrics.Time("job_seconds", labels)()
func (c *Client) Time(name string, labels Labels, buckets ...float64) func() {
	started := time.Now()
	return func() { c.Histogram(name, labels, buckets...).Observe(time.Since(started).Seconds()) }
}

// place is where a sample goes to.
type place struct {
	client  *Client
	kind    kind
	name    string
	labels  Labels
	buckets []float64
}

// Adds to the series of that place, by a function that returns why it can't.
func (p place) record(apply func(*series, *buffer) string) {
	c := p.client
	if c == nil || c.disabled {
		return
	}
	reason := c.tryRecord(p, apply)
	if reason == BufferFull && c.flushFull() {
		reason = c.tryRecord(p, apply)
	}
	if reason != "" {
		c.drop(reason, 1, fmt.Sprintf("%s %q", p.kind, shortened(p.name)))
	}
}

func (c *Client) tryRecord(p place, apply func(*series, *buffer) string) string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if reason := c.head.write(p.kind, p.name, c.defaults, p.labels); reason != "" {
		return reason
	}
	if len(c.head.text) > maxSample {
		c.head = head{}
		return PayloadTooLarge
	}
	key := c.head.text
	if p.kind == native {
		key = append(key, native...)
	}
	to := c.buffer.known[string(key)]
	if to != nil && to.pending {
		return apply(to, c.buffer)
	}
	if c.buffer.samples >= c.options.MaxSeries {
		return BufferFull
	}
	if to == nil {
		whole := string(key)
		to = &series{kind: p.kind, head: whole[:len(c.head.text)], key: whole, name: p.name}
	}
	to.family = c.families[p.name]
	if p.kind == histogram {
		if to.buckets = c.layout(p.name, p.buckets); to.buckets == nil {
			return BadBuckets
		}
	}
	if reason := apply(to, c.buffer); reason != "" {
		to.reset()
		return reason
	}
	c.buffer.add(to)
	return ""
}

// The buckets of a name: the first that it was given, since the gateway keeps to
// its first layout too. Nil where they are none.
func (c *Client) layout(name string, buckets []float64) []float64 {
	known := c.families[name]
	if known != nil && known.buckets != nil {
		return known.buckets
	}
	if len(buckets) == 0 {
		buckets = c.options.Buckets
	}
	buckets = checkedBuckets(buckets)
	if buckets != nil && (known != nil || len(c.families) < c.options.MaxSeries) {
		with := family{}
		if known != nil {
			with = *known
		}
		with.buckets = buckets
		c.families[name] = &with
	}
	return buckets
}

// Flush sends what is buffered by one LPUSH, within Options.Timeout, and returns
// why it could not; that has been counted and logged too, so most callers ignore
// it. A push that failed is not repeated. A context that has ended already leaves
// the buffer as it is.
func (c *Client) Flush(ctx context.Context) error {
	if c == nil || c.disabled {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		// What is buffered stays so, for the next flush.
		err := errors.New("the push before has no answer yet")
		c.say(RedisTimeout, err.Error())
		return err
	}
	return c.pushBuffer(ctx)
}

// Empties a full buffer, unless a push is under way: where Redis hangs, each call
// would wait for its time to be over.
func (c *Client) flushFull() bool {
	select {
	case c.turn <- struct{}{}:
	default:
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.options.Timeout)
	defer cancel()
	// Whether it was taken or lost, there is room again.
	_ = c.pushBuffer(ctx)
	return true
}

// FlushSoon flushes in the background, where many calls at once are few pushes.
// A function on AWS Lambda is frozen before that: it has to wait for Flush.
func (c *Client) FlushSoon() {
	if c == nil || c.disabled {
		return
	}
	select {
	case c.soon <- struct{}{}:
	default:
		// One that has not begun to take from the buffer will take this too.
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), c.options.Timeout)
		defer cancel()
		select {
		case c.turn <- struct{}{}:
			<-c.soon
			_ = c.pushBuffer(ctx)
		case <-ctx.Done():
			<-c.soon
		}
	}()
}

// Close flushes, and closes the connection if Connect or FromEnvironment made it.
func (c *Client) Close(ctx context.Context) error {
	if c == nil {
		return nil
	}
	err := c.Flush(ctx)
	if c.close != nil {
		err = errors.Join(err, c.close())
	}
	return err
}

// Pushes what is buffered. Whoever calls it has the turn, which ends with the
// push itself, and that may be after this function.
func (c *Client) pushBuffer(ctx context.Context) error {
	c.mutex.Lock()
	elements, sent, tooLarge := c.buffer.take()
	c.mutex.Unlock()
	if tooLarge > 0 {
		c.drop(PayloadTooLarge, tooLarge, "")
	}
	if len(elements) == 0 {
		<-c.turn
		return nil
	}
	err := c.pushWithin(ctx, elements)
	if err != nil {
		c.drop(reasonOf(err), sent, err.Error())
		return fmt.Errorf("metrics were not sent: %w", err)
	}
	return nil
}

// Pushes, and returns when the context ends, whether the push does or not.
func (c *Client) pushWithin(ctx context.Context, elements []any) error {
	if c.heeds {
		defer func() { <-c.turn }()
		return c.push(ctx, elements)
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-c.turn }()
		done <- c.push(ctx, elements)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A connection of others may panic, or be none.
func (c *Client) push(ctx context.Context, elements []any) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the connection panicked: %v", cause)
		}
	}()
	return c.redis.LPush(ctx, c.options.Key, elements...).Err()
}

// Dropped returns how many samples were dropped, by reason. It is empty as long
// as all is well.
func (c *Client) Dropped() map[string]uint64 {
	if c == nil {
		return nil
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return maps.Clone(c.dropped)
}

func (c *Client) drop(reason string, samples int, detail string) {
	if samples > 0 {
		c.mutex.Lock()
		c.dropped[reason] += uint64(samples)
		c.mutex.Unlock()
	}
	c.say(reason, detail)
}

func (c *Client) say(reason, detail string) {
	c.mutex.Lock()
	last, said := c.said[reason]
	now := time.Now()
	quiet := said && now.Sub(last) < sayAgainAfter
	if !quiet {
		c.said[reason] = now
	}
	dropped := c.dropped[reason]
	c.mutex.Unlock()
	if !quiet {
		c.options.Logger.Warn("metrics were dropped", "reason", reason, "detail", detail, "samples", dropped)
	}
}

func shortened(text string) string {
	if len(text) > 100 {
		text = text[:100]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
