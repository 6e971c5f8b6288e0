<?php

declare(strict_types=1);

namespace PromStreamGateway\Tests\Support;

/** Something that listens where a Redis should, and behaves badly: see peer.php. */
final class Peer
{
    public readonly int $port;
    private readonly Process $process;

    public function __construct(string $manner)
    {
        $this->process = new Process([PHP_BINARY, __DIR__ . '/peer.php', $manner]);
        $this->port = (int) fgets($this->process->output);
    }

    public function url(): string
    {
        return "redis://127.0.0.1:$this->port";
    }
}
