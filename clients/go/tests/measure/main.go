// Measure is what benches/producer asks for the cost of an invocation in Go: for
// each line of standard input it makes one, and prints the wall and the CPU time
// that it took, in nanoseconds.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstream"
)

type sample struct {
	Type    string            `json:"type"`
	Name    string            `json:"name"`
	Help    string            `json:"help,omitempty"`
	Value   float64           `json:"value"`
	Labels  promstream.Labels `json:"labels,omitempty"`
	Buckets []float64         `json:"buckets,omitempty"`
}

func main() {
	if len(os.Args) != 4 {
		fail("usage: bench raw|client|loop SAMPLES_FILE REDIS_PORT")
	}
	text, err := os.ReadFile(os.Args[2])
	if err != nil {
		fail(err)
	}
	var samples []sample
	if err := json.Unmarshal(text, &samples); err != nil {
		fail(err)
	}
	address := "127.0.0.1:" + os.Args[3]
	var invoke func()
	switch os.Args[1] {
	case "raw":
		invoke = raw(address, samples)
	case "client":
		invoke = client(address, samples)
	case "loop":
		invoke = loop(address, samples)
	default:
		fail("expected raw, client or loop, got " + os.Args[1])
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		started, cpu := time.Now(), used()
		invoke()
		fmt.Println(time.Since(started).Nanoseconds(), used()-cpu)
	}
}

// What one writes who has only go-redis.
func raw(address string, samples []sample) func() {
	connection := redis.NewClient(&redis.Options{Addr: address})
	return func() {
		var elements []any
		for _, one := range samples {
			element, err := json.Marshal(one)
			if err != nil {
				fail(err)
			}
			elements = append(elements, element)
		}
		err := connection.LPush(context.Background(), "prom-stream-gateway:metric-queue", elements...).Err()
		if err != nil {
			fail(err)
		}
	}
}

func client(address string, samples []sample) func() {
	metrics := connected(address)
	for _, one := range samples {
		metrics.Describe(one.Name, promstream.Description{Help: one.Help, Buckets: one.Buckets})
	}
	return func() {
		for index := range samples {
			switch one := &samples[index]; one.Type {
			case "counter":
				metrics.Counter(one.Name, one.Labels).Add(one.Value)
			case "gauge":
				metrics.Gauge(one.Name, one.Labels).Set(one.Value)
			case "histogram":
				metrics.Histogram(one.Name, one.Labels).Observe(one.Value)
			}
		}
		flush(metrics)
	}
}

func loop(address string, samples []sample) func() {
	metrics, first := connected(address), samples[0]
	return func() {
		for range 1000 {
			metrics.Counter(first.Name, first.Labels).Inc()
		}
		flush(metrics)
	}
}

func connected(address string) *promstream.Client {
	// The time is ample: it is not what is measured.
	metrics, err := promstream.Connect("redis://"+address, promstream.Options{Timeout: 10 * time.Second})
	if err != nil {
		fail(err)
	}
	return metrics
}

func flush(metrics *promstream.Client) {
	if err := metrics.Flush(context.Background()); err != nil {
		fail(err)
	}
	if dropped := metrics.Dropped(); len(dropped) > 0 {
		fail(fmt.Sprint("samples were dropped: ", dropped))
	}
}

// The CPU time of all threads, in nanoseconds.
func used() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func fail(why any) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}
