package promstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const defaultURL = "redis://localhost:6379"

// A connection that was idle for longer is made anew: firewalls forget it by then
// without telling anybody.
const maxIdle = 5 * time.Minute

// Connect makes a client on a connection of its own, with every wait bounded and
// no retries. The URL is one of redis:// or rediss:// (TLS), with a user, a
// password and a database if need be: rediss://user:password@host:6379/0. It
// connects with the first flush, so only a bad URL is an error.
func Connect(url string, options Options) (*Client, error) {
	settings, err := redis.ParseURL(url)
	if err != nil {
		// What url.Parse says may have the password in it.
		return nil, errors.New("the URL of Redis is not valid, expected redis://host:port or rediss://host:port")
	}
	client := newClient(nil, options)
	bound(settings, client.options.Timeout)
	connection := redis.NewClient(settings)
	client.redis, client.close, client.heeds = connection, connection.Close, true
	return client, nil
}

// FromEnvironment is Connect with the URL of the environment variable
// PROM_STREAM_GATEWAY_REDIS_URL, or redis://localhost:6379. A URL that is not
// valid is logged, and everything is dropped and counted. Where
// PROM_STREAM_GATEWAY_DISABLED is 1, the client does nothing.
func FromEnvironment(options Options) *Client {
	url := os.Getenv("PROM_STREAM_GATEWAY_REDIS_URL")
	if url == "" {
		url = defaultURL
	}
	client, err := Connect(url, options)
	if err != nil {
		return newClient(nowhere{fmt.Errorf("PROM_STREAM_GATEWAY_REDIS_URL: %w", err)}, options)
	}
	return client
}

func bound(settings *redis.Options, timeout time.Duration) {
	// Without this, a deadline of the context does not count for reads.
	settings.ContextTimeoutEnabled = true
	// A push whose answer was lost may have been taken.
	settings.MaxRetries = -1
	settings.DialTimeout = timeout
	settings.ReadTimeout = timeout
	settings.WriteTimeout = timeout
	settings.PoolTimeout = timeout
	settings.DialerRetries = 1
	settings.ConnMaxIdleTime = maxIdle
	// One push at a time, and one that has outlived its time.
	settings.PoolSize = 2
	// What a push doesn't need would be round trips of each new connection.
	settings.Protocol = 2
	settings.DisableIdentity = true
	settings.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	settings.Dialer = dialer(settings.TLSConfig)
}

// Dials as go-redis does, but for two things. A failure comes to light with the
// first write, like that of a connection that was cut: go-redis logs each failed
// dial by itself, and after some of them answers for a second without dialing.
// And under TLS it can see, as it does without, that the other side has closed a
// connection before it writes to it.
func dialer(config *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		plain, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return undialed{err: err}, nil
		}
		if config == nil {
			return plain, nil
		}
		secured := tls.Client(plain, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = plain.Close()
			return undialed{err: err}, nil
		}
		if socket, ok := plain.(syscall.Conn); ok {
			return visible{secured, socket}, nil
		}
		return secured, nil
	}
}

// visible is a TLS connection that shows its socket.
type visible struct {
	*tls.Conn
	socket syscall.Conn
}

func (v visible) SyscallConn() (syscall.RawConn, error) { return v.socket.SyscallConn() }

// undialed is the connection that there is not.
type undialed struct{ err error }

func (u undialed) Read([]byte) (int, error)         { return 0, u.err }
func (u undialed) Write([]byte) (int, error)        { return 0, u.err }
func (u undialed) Close() error                     { return nil }
func (u undialed) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (u undialed) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (u undialed) SetDeadline(time.Time) error      { return nil }
func (u undialed) SetReadDeadline(time.Time) error  { return nil }
func (u undialed) SetWriteDeadline(time.Time) error { return nil }

// nowhere is the Redis of a URL that is none.
type nowhere struct{ err error }

func (n nowhere) LPush(ctx context.Context, _ string, _ ...any) *redis.IntCmd {
	failed := redis.NewIntCmd(ctx)
	failed.SetErr(n.err)
	return failed
}

// Which of the reasons an error of go-redis is.
func reasonOf(err error) string {
	var answer redis.Error
	if errors.As(err, &answer) {
		return RedisError
	}
	var network net.Error
	if errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &network) && network.Timeout()) {
		return RedisTimeout
	}
	return RedisUnreachable
}
