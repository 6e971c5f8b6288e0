package promstream_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstream"
)

// What the package promises. A busy machine takes longer by itself, so one of
// several flushes has to keep it; all of them keep to what is far below the 5
// seconds of go-redis.
const (
	promised = 300 * time.Millisecond
	patience = 2 * time.Second
	tries    = 5
)

// log is a place for what the client says.
type log struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *log) Write(text []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(text)
}

func (l *log) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

func (l *log) options() promstream.Options {
	return promstream.Options{Logger: slog.New(slog.NewTextHandler(l, nil))}
}

func connect(t *testing.T, url string, options promstream.Options) *promstream.Client {
	t.Helper()
	metrics, err := promstream.Connect(url, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = metrics.Close(context.Background()) })
	return metrics
}

// Ways in which a Redis fails, with the reason that is counted.
var faults = map[string]struct {
	reason string
	start  func(*testing.T) string
}{
	"refuses": {promstream.RedisUnreachable, refusing},
	"is silent": {promstream.RedisTimeout, func(t *testing.T) string {
		s := serve(t, nil)
		s.behave(func(net.Conn, []string) {})
		return s.url()
	}},
	"cuts": {promstream.RedisUnreachable, func(t *testing.T) string {
		s := serve(t, nil)
		s.behave(func(connection net.Conn, _ []string) { _ = connection.Close() })
		return s.url()
	}},
	"cuts in the answer": {promstream.RedisUnreachable, func(t *testing.T) string {
		s := serve(t, nil)
		s.behave(func(connection net.Conn, _ []string) {
			_, _ = fmt.Fprint(connection, ":1")
			_ = connection.Close()
		})
		return s.url()
	}},
	"answers with an error": {promstream.RedisError, func(t *testing.T) string {
		s := serve(t, nil)
		s.behave(func(connection net.Conn, _ []string) {
			_, _ = fmt.Fprint(connection, "-ERR another key\r\n")
		})
		return s.url()
	}},
	"does not speak TLS": {promstream.RedisTimeout, func(t *testing.T) string {
		// It waits for the rest of a command that it takes the greeting for.
		return "rediss" + strings.TrimPrefix(silent(t), "redis")
	}},
}

func silent(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return "redis://" + listener.Addr().String()
}

func TestNothingHoldsAFlushUp(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &log{}
			flushes(t, connect(t, fault.start(t), log.options()), log, fault.reason)
		})
	}
}

// Each flush keeps its bound, drops its samples, counts them, and says why once.
func flushes(t *testing.T, metrics *promstream.Client, log *log, reason string) {
	t.Helper()
	quickest := patience
	for try := 1; try <= tries; try++ {
		metrics.Counter("jobs_total", nil).Inc()
		metrics.Gauge("jobs_waiting", nil).Set(1)
		started := time.Now()
		err := metrics.Flush(context.Background())
		took := time.Since(started)
		quickest = min(quickest, took)
		if err == nil || took > patience {
			t.Fatalf("expected an error within %v, got %v after %v", patience, err, took)
		}
		if dropped := metrics.Dropped(); len(dropped) != 1 || dropped[reason] != uint64(2*try) {
			t.Fatalf("expected %d of %s, got %v: %v", 2*try, reason, dropped, err)
		}
	}
	if quickest > promised {
		t.Errorf("expected a flush within %v, the quickest took %v", promised, quickest)
	}
	if lines := strings.Count(log.String(), "metrics were dropped"); lines != 1 {
		t.Errorf("expected one line, got %d: %s", lines, log)
	}
}

// go-redis by itself would wait for 3 seconds there, and try three times more.
func TestAConnectionOfOthersIsBoundedToo(t *testing.T) {
	log := &log{}
	s := serve(t, nil)
	s.behave(func(net.Conn, []string) {})
	connection := redis.NewClient(&redis.Options{Addr: strings.TrimPrefix(s.url(), "redis://")})
	t.Cleanup(func() { _ = connection.Close() })
	metrics := promstream.New(connection, log.options())
	if !strings.Contains(log.String(), "ContextTimeoutEnabled") {
		t.Errorf("expected a word on the options, got %s", log)
	}
	for range tries {
		metrics.Counter("jobs_total", nil).Inc()
		started := time.Now()
		if err := metrics.Flush(context.Background()); err == nil || time.Since(started) > patience {
			t.Fatalf("expected an error within %v, got %v after %v", patience, err, time.Since(started))
		}
	}
	// The first push is still under way, so that no other was begun.
	if dropped := metrics.Dropped(); dropped[promstream.RedisTimeout] != 1 {
		t.Errorf("expected one dropped sample, got %v", dropped)
	}
}

func TestAConnectionThatPanicsIsAnError(t *testing.T) {
	metrics := promstream.New(nil, (&log{}).options())
	metrics.Counter("jobs_total", nil).Inc()
	if err := metrics.Flush(context.Background()); err == nil || !strings.Contains(err.Error(), "panicked") {
		t.Errorf("expected an error, got %v", err)
	}
}

// As after a freeze: the other side has gone, and nothing is lost for it.
func TestAConnectionThatWasCutIsReplaced(t *testing.T) {
	plain, withTLS := serve(t, nil), serve(t, certificate(t))
	for name, config := range map[string]struct {
		url    string
		server *server
	}{
		"plain": {plain.url(), plain},
		"TLS":   {"rediss" + strings.TrimPrefix(withTLS.url(), "redis") + "?skip_verify=true", withTLS},
	} {
		t.Run(name, func(t *testing.T) {
			log := &log{}
			options := log.options()
			// It is about what arrives, not about how quickly.
			options.Timeout = 20 * time.Second
			metrics := connect(t, config.url, options)
			for round := 1; round <= 5; round++ {
				for range 2 {
					metrics.Counter("jobs_total", nil).Inc()
					if err := metrics.Flush(context.Background()); err != nil {
						t.Fatalf("in round %d: %v", round, err)
					}
				}
				if got := config.server.howOften(); got != round {
					t.Fatalf("expected %d connections, got %d", round, got)
				}
				config.server.cut()
			}
			if got := len(config.server.taken()); got != 10 || len(metrics.Dropped()) > 0 {
				t.Errorf("expected 10 elements, got %d, dropped %v", got, metrics.Dropped())
			}
		})
	}
}

func TestItRecovers(t *testing.T) {
	s := serve(t, nil)
	log := &log{}
	metrics := connect(t, s.url(), log.options())
	for name, answer := range map[string]func(net.Conn, []string){
		"silent": func(net.Conn, []string) {},
		"cuts":   func(connection net.Conn, _ []string) { _ = connection.Close() },
		"error":  func(connection net.Conn, _ []string) { _, _ = fmt.Fprint(connection, "-OOM\r\n") },
	} {
		s.behave(answer)
		metrics.Counter("lost_total", nil).Inc()
		if err := metrics.Flush(context.Background()); err == nil {
			t.Fatalf("%s: expected an error", name)
		}
		s.behave(nil)
		before := len(s.taken())
		metrics.Counter("jobs_total", nil).Inc()
		if err := metrics.Flush(context.Background()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := s.taken()[before:]; len(got) != 1 || !strings.Contains(got[0], "jobs_total") {
			t.Errorf("%s: expected the sample after it alone, got %v", name, got)
		}
	}
}

func TestAFullBufferIsFlushed(t *testing.T) {
	s := serve(t, nil)
	options := (&log{}).options()
	options.MaxSeries, options.Timeout = 10, 20*time.Second
	metrics := connect(t, s.url(), options)
	for index := range 25 {
		metrics.Counter("jobs_total", promstream.Labels{"n": fmt.Sprint(index)}).Inc()
	}
	elements := s.taken()
	if got := len(samplesOf(t, elements)); got != 20 || len(elements) != 2 || len(metrics.Dropped()) > 0 {
		t.Errorf("expected 20 samples in 2 arrays, got %d in %d, dropped %v", got, len(elements), metrics.Dropped())
	}
}

// Where a push hangs, what does not fit any more is dropped without a wait.
func TestAFullBufferDropsWhereAPushHangs(t *testing.T) {
	hanging := make(chan struct{})
	options := (&log{}).options()
	options.MaxSeries = 10
	metrics := promstream.New(hangs(hanging), options)
	metrics.Counter("jobs_total", nil).Inc()
	if err := metrics.Flush(context.Background()); err == nil {
		t.Fatal("expected an error")
	}
	started := time.Now()
	for index := range 100 {
		metrics.Counter("jobs_total", promstream.Labels{"n": fmt.Sprint(index)}).Inc()
	}
	if took := time.Since(started); took > patience || metrics.Dropped()[promstream.BufferFull] != 90 {
		t.Errorf("expected 90 dropped at once, got %v after %v", metrics.Dropped(), took)
	}
	close(hanging)
	for metrics.Flush(context.Background()) != nil {
		if time.Since(started) > 20*time.Second {
			t.Fatal("it does not recover")
		}
	}
}

// hangs is a Redis that answers when the channel is closed.
type hangs chan struct{}

func (h hangs) LPush(ctx context.Context, _ string, _ ...any) *redis.IntCmd {
	<-h
	return redis.NewIntCmd(ctx)
}
