package promstreamtest_test

import (
	"fmt"
	"testing"

	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstream"
	"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstreamtest"
)

// verdict is a test that keeps what it is failed for.
type verdict struct {
	testing.TB
	said []string
}

func (v *verdict) Helper() {}

func (v *verdict) Errorf(format string, arguments ...any) {
	v.said = append(v.said, fmt.Sprintf(format, arguments...))
}

func TestAssertionsFailWhereTheyShould(t *testing.T) {
	fake := promstreamtest.New(promstream.Options{Labels: promstream.Labels{"service": "shop"}})
	labels := promstream.Labels{"service": "shop"}
	fake.Counter("jobs_total", nil).Add(2)
	fake.Histogram("job_seconds", nil).Observe(1)

	fake.AssertValue(t, "jobs_total", labels, 2)
	fake.AssertObserved(t, "job_seconds", labels, 1)
	fake.AssertNotSent(t, "others_total")

	failed := &verdict{TB: t}
	fake.AssertValue(failed, "jobs_total", labels, 3)
	fake.AssertValue(failed, "jobs_total", nil, 2)
	fake.AssertObserved(failed, "job_seconds", labels, 2)
	fake.AssertNotSent(failed, "jobs_total")
	fake.Reset()
	fake.AssertValue(failed, "jobs_total", labels, 2)
	if len(failed.said) != 5 {
		t.Errorf("expected five failures, got %q", failed.said)
	}
}
