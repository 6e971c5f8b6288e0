<?php

declare(strict_types=1);

namespace PromStreamGateway\Connection;

use PromStreamGateway\Refused;

/** Through the redis extension. */
final class PhpRedis extends Kept
{
    private ?\Redis $redis = null;
    /** @var ?resource */
    private $stream = null;

    protected function open(Address $address, float $timeout): void
    {
        $redis = new \Redis();
        error_clear_last();
        $before = get_resources('stream');
        // Half of the time, since a TLS handshake may take as long as connecting again.
        $connected = @$redis->connect(
            $address->socket ?? ($address->tls ? "tls://$address->host" : $address->host),
            $address->socket === null ? $address->port : 0,
            $timeout / 2,
            null,
            0,
            0,
            $address->tlsOptions === [] ? [] : ['stream' => $address->tlsOptions],
        );
        if (!$connected) {
            throw new \RuntimeException(error_get_last()['message'] ?? 'no connection in time');
        }
        // phpredis would connect anew in the middle of an answer, and wait for its end.
        $redis->setOption(\Redis::OPT_MAX_RETRIES, 0);
        $this->redis = $redis;
        // phpredis does not give its stream away, and its exceptions don't tell whether
        // something was written. But the stream is a resource like any other.
        $new = array_diff_key(get_resources('stream'), $before);
        $this->stream = count($new) === 1 ? reset($new) : null;
    }

    protected function command(array $arguments, float $timeout): mixed
    {
        $this->redis->setOption(\Redis::OPT_READ_TIMEOUT, $timeout);
        $this->redis->clearLastError();
        try {
            $answer = @$this->redis->rawCommand(...$arguments);
        } catch (\RedisException $error) {
            $answer = false;
        }
        // Some errors of Redis are thrown, such as NOPERM, and some are not, such as ERR.
        if ($answer === false) {
            $refusal = $this->redis->getLastError();
            throw $refusal !== null
                ? new Refused($refusal)
                : $error ?? new \RuntimeException('it could not be written');
        }
        return $answer;
    }

    protected function close(): void
    {
        // Closes the socket, and says nothing on it: in a forked process it is the parent's.
        $this->redis = null;
        $this->stream = null;
    }

    protected function stream()
    {
        return is_resource($this->stream) ? $this->stream : null;
    }
}
