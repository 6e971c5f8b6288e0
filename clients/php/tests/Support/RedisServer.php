<?php

declare(strict_types=1);

namespace PromStreamGateway\Tests\Support;

/** A Redis of the test's own. */
final class RedisServer
{
    public readonly int $port;
    private readonly Process $process;

    /** @param list<string> $arguments */
    public function __construct(array $arguments = [])
    {
        $this->port = Process::freePort();
        $this->process = new Process(
            ['redis-server', '--port', (string) $this->port, '--bind', '127.0.0.1', '--save', '', ...$arguments],
        );
        while (($line = fgets($this->process->output)) !== false) {
            if (str_contains($line, 'Ready to accept connections')) {
                return;
            }
        }
        throw new \RuntimeException('expected redis-server to start');
    }

    public static function isThere(): bool
    {
        return Process::has('redis-server');
    }

    public function url(): string
    {
        return "redis://127.0.0.1:$this->port";
    }

    /** Sends one command in the simplest way, and takes the answer as it stands. */
    public function command(string ...$arguments): string
    {
        $socket = stream_socket_client("tcp://127.0.0.1:$this->port");
        stream_set_timeout($socket, 5);
        $line = implode("\r\n", array_map(fn ($one) => '$' . strlen($one) . "\r\n$one", $arguments));
        fwrite($socket, '*' . count($arguments) . "\r\n$line\r\n*1\r\n\$4\r\nQUIT\r\n");
        return (string) stream_get_contents($socket);
    }

    /** @return list<array<string, mixed>> all samples in the list, in the order in which the gateway takes them */
    public function samples(string $key = 'prom-stream-gateway:metric-queue'): array
    {
        preg_match_all('/^([{\[].*)\r$/m', $this->command('LRANGE', $key, '0', '-1'), $elements);
        $samples = [];
        foreach (array_reverse($elements[1]) as $element) {
            $decoded = json_decode($element, true, flags: JSON_THROW_ON_ERROR);
            array_push($samples, ...(array_is_list($decoded) ? $decoded : [$decoded]));
        }
        return $samples;
    }

    /** How many connections it has had, with the one that asks. */
    public function connections(): int
    {
        preg_match('/total_connections_received:(\d+)/', $this->command('INFO', 'stats'), $received);
        return (int) $received[1];
    }

    public function cutAll(): void
    {
        $this->command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    }
}
