package promstream

import (
	"context"
	"net/http"
)

// Middleware flushes after each response, in the background, so that nobody waits
// for it; many requests at once are few pushes. Call [Client.Close] when the server
// has shut down.
func (c *Client) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		defer c.FlushSoon()
		next.ServeHTTP(writer, request)
	})
}

// Wrap flushes before each return of a handler function, also where it panics or
// its context has ended, as a function on AWS Lambda needs it, which is frozen
// afterwards:
//
//	lambda.Start(promstream.Wrap(metrics, handle))
func Wrap[In, Out any](
	client *Client, handler func(context.Context, In) (Out, error),
) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		defer func() { _ = client.Flush(context.WithoutCancel(ctx)) }()
		return handler(ctx, in)
	}
}
