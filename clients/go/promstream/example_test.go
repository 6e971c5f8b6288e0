package promstream_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstream"
	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstreamtest"
)

func Example() {
	metrics := promstream.FromEnvironment(promstream.Options{
		Labels: promstream.Labels{"service": "shop"},
	})
	defer func() { _ = metrics.Close(context.Background()) }()

	metrics.Describe("job_seconds", promstream.Description{
		Help: "How long jobs take.", Unit: "seconds", Buckets: []float64{.1, .5, 1, 5},
	})
	defer metrics.Time("job_seconds", nil)()
	metrics.Counter("jobs_total", promstream.Labels{"queue": "mail"}).Inc()
	metrics.Gauge("jobs_waiting", nil).Set(17)
	metrics.Summary("job_bytes", nil).Observe(512)
}

// For lambda.Start of aws-lambda-go, or whatever else calls a handler.
func ExampleWrap() {
	// One for the process: the next invocation finds its connection.
	metrics := promstream.FromEnvironment(promstream.Options{})
	handler := promstream.Wrap(metrics, func(_ context.Context, name string) (string, error) {
		metrics.Counter("greetings_total", nil).Inc()
		return "hello " + name, nil
	})
	greeting, err := handler(context.Background(), "world")
	fmt.Println(greeting, err)
	// Output: hello world <nil>
}

func ExampleClient_Middleware() {
	metrics := promstream.FromEnvironment(promstream.Options{})
	routes := http.NewServeMux()
	routes.HandleFunc("/", func(writer http.ResponseWriter, _ *http.Request) {
		metrics.Counter("requests_total", nil).Inc()
		writer.WriteHeader(http.StatusNoContent)
	})
	server := &http.Server{Handler: metrics.Middleware(routes), ReadHeaderTimeout: time.Second}
	_ = server.Close()
	_ = metrics.Close(context.Background())
}

func ExampleGauge() {
	fake := promstreamtest.New(promstream.Options{})
	running := fake.Gauge("jobs_running", nil)
	running.Inc()
	running.Inc()
	running.Dec()
	fake.Gauge("jobs_highest", nil).Max(2)
	fmt.Println(fake.Value("jobs_running", nil))
	fmt.Println(fake.Value("jobs_highest", nil))
	// Output:
	// 1 true
	// 2 true
}
