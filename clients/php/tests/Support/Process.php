<?php

declare(strict_types=1);

namespace PromStreamGateway\Tests\Support;

/** A program beside the test, ended with it. */
final class Process
{
    /** @var resource */
    private $process;
    /** @var resource its standard output */
    public $output;

    /**
     * @param list<string> $command
     * @param array<string, string> $environment beside that of the test
     */
    public function __construct(array $command, array $environment = [], mixed $errors = ['file', '/dev/null', 'w'])
    {
        $this->process = proc_open(
            $command,
            [['file', '/dev/null', 'r'], ['pipe', 'w'], $errors],
            $pipes,
            null,
            $environment + getenv(),
        ) ?: throw new \RuntimeException("expected $command[0] to start");
        $this->output = $pipes[1];
    }

    public function __destruct()
    {
        if (is_resource($this->process)) {
            proc_terminate($this->process, 9);
            proc_close($this->process);
        }
    }

    /** Runs a program to its end: its standard output and error together. */
    public static function run(array $command, array $environment = []): string
    {
        $process = new self($command, $environment, ['redirect', 1]);
        return (string) stream_get_contents($process->output);
    }

    public static function freePort(): int
    {
        $socket = stream_socket_server('tcp://127.0.0.1:0');
        return (int) substr((string) strrchr(stream_socket_get_name($socket, false), ':'), 1);
    }

    public static function has(string $program): bool
    {
        return trim((string) shell_exec('command -v ' . escapeshellarg($program))) !== '';
    }
}
