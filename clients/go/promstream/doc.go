// Package promstream sends metrics to a prom-stream-gateway, which adds up what
// many short-lived processes count and shows it to Prometheus.
//
//	var metrics = promstream.FromEnvironment(promstream.Options{})
//
//	func handle() {
//		defer metrics.Flush(context.Background())
//		defer metrics.Time("job_seconds", nil)()
//		metrics.Counter("jobs_total", promstream.Labels{"queue": "mail"}).Inc()
//	}
//
// A call only adds to a buffer in the process, where equal series become one
// sample: a thousand increments are one. [Client.Flush] sends the buffer by one
// LPUSH, at the end of a unit of work: [Wrap] does it for a function on AWS
// Lambda, [Client.Middleware] for an http.Handler.
//
// Metrics never get in the way of what they measure. No call panics, a flush
// takes 0.2 seconds at most, and no push is repeated, since one whose answer was
// lost may have been taken. What can't be sent is dropped, counted by
// [Client.Dropped], and its reason is logged, once a minute at most.
//
// All methods may be called from any number of goroutines, and on a nil *Client,
// which does nothing.
package promstream
