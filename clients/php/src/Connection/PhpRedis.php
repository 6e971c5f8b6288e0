<?php

declare(strict_types=1);

namespace PromStreamGateway\Connection;

use PromStreamGateway\Refused;

/** Through the redis extension. */
final class PhpRedis extends Kept
{
    private ?\Redis $redis = null;

    protected function open(Address $address, float $timeout): void
    {
        $redis = new \Redis();
        error_clear_last();
        // Half of the time, since a TLS handshake may take as long as connecting again.
        $connected = @$redis->connect(
            $address->socket ?? ($address->tls ? "tls://$address->host" : $address->host),
            $address->socket === null ? $address->port : 0,
            $timeout / 2,
            null,
            0,
            $timeout / 4,
            $address->tlsOptions === [] ? [] : ['stream' => $address->tlsOptions],
        );
        if (!$connected) {
            throw new \RuntimeException(error_get_last()['message'] ?? 'no connection in time');
        }
        // phpredis would connect anew in the middle of an answer, and wait for its end.
        $redis->setOption(\Redis::OPT_MAX_RETRIES, 0);
        $this->redis = $redis;
        if ($address->password !== null) {
            $login = $address->user === null ? [] : [$address->user];
            $this->command(['AUTH', ...$login, $address->password], $timeout / 4);
        }
        if ($address->database !== 0) {
            $this->command(['SELECT', (string) $address->database], $timeout / 4);
        }
    }

    protected function command(array $arguments, float $timeout): void
    {
        $this->redis->setOption(\Redis::OPT_READ_TIMEOUT, $timeout);
        $this->redis->clearLastError();
        if (@$this->redis->rawCommand(...$arguments) === false) {
            $refusal = $this->redis->getLastError();
            throw $refusal === null ? new \RuntimeException('it could not be written') : new Refused($refusal);
        }
    }

    protected function close(): void
    {
        // Closes the socket, and says nothing on it: in a forked process it is the parent's.
        $this->redis = null;
    }
}
