<?php

declare(strict_types=1);

namespace PromStreamGateway\Connection;

use PromStreamGateway\Refused;

/** Through Predis 1, 2 or 3. */
final class Predis extends Kept
{
    private ?\Predis\Client $client = null;

    protected function open(Address $address, float $timeout): void
    {
        if (!class_exists(\Predis\Client::class)) {
            throw new \RuntimeException('expected the redis extension, or the package predis/predis');
        }
        $parameters = array_filter([
            'scheme' => $address->socket !== null ? 'unix' : ($address->tls ? 'tls' : 'tcp'),
            'path' => $address->socket,
            'host' => $address->host,
            'port' => $address->port,
            'ssl' => $address->tlsOptions ?: null,
            'timeout' => $timeout / 4,
            'read_write_timeout' => $timeout / 4,
        ], fn (mixed $value) => $value !== null);
        if (class_exists(\Predis\Retry\Retry::class)) {
            // A push whose answer was lost may have been taken, and would count twice.
            $parameters['retry'] = new \Predis\Retry\Retry(new \Predis\Retry\Strategy\NoBackoff(), 0);
        }
        $this->client = new \Predis\Client($parameters);
        // Without the warnings of a TLS handshake, which would be on the user's page.
        @$this->client->connect();
    }

    protected function command(array $arguments, float $timeout): mixed
    {
        $stream = $this->stream();
        if ($stream !== null) {
            stream_set_timeout($stream, 0, (int) ($timeout * 1e6));
        }
        // As it stands: without a prefix, and without a command's own class.
        $refused = false;
        $answer = $this->client->executeRaw($arguments, $refused);
        if ($refused) {
            throw new Refused((string) $answer);
        }
        return $answer;
    }

    protected function close(): void
    {
        $this->client = null;
    }

    protected function stream()
    {
        $stream = $this->client->getConnection()->getResource();
        return is_resource($stream) ? $stream : null;
    }
}
