<?php

declare(strict_types=1);

namespace PromStreamGateway;

/** Counts samples that are dropped, and says why, once for each cause. */
final class Losses
{
    private const MOST_CAUSES = 32;

    /** @var array<string, int> */
    private array $counts = [];
    /** @var array<string, true> */
    private array $said = [];
    private ?string $last = null;

    /** @param ?\Closure(string): void $log */
    public function __construct(private readonly ?\Closure $log)
    {
    }

    public function add(string $reason, int $samples, string $message): void
    {
        $this->counts[$reason] = ($this->counts[$reason] ?? 0) + $samples;
        $this->say($message);
    }

    public function say(string $message): void
    {
        $this->last = $message;
        if (isset($this->said[$message]) || count($this->said) >= self::MOST_CAUSES) {
            return;
        }
        $this->said[$message] = true;
        try {
            $line = "prom-stream-gateway: $message";
            $this->log === null ? error_log($line) : ($this->log)($line);
        } catch (\Throwable) {
            // A log that fails must not fail the program.
        }
    }

    /** @return array<string, int> */
    public function counts(): array
    {
        return $this->counts;
    }

    public function last(): ?string
    {
        return $this->last;
    }
}
