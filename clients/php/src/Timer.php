<?php

declare(strict_types=1);

namespace PromStreamGateway;

/** Time since it was made. Client::timer() gives it. */
final class Timer
{
    private readonly int $started;
    private bool $stopped = false;

    /** @internal @param \Closure(float, mixed): void $observe */
    public function __construct(private readonly \Closure $observe)
    {
        $this->started = hrtime(true);
    }

    /**
     * Adds the seconds to the histogram, the first time that it is called.
     *
     * @param array<string, mixed> $labels beside those of the timer, such as an outcome
     * @return float the seconds
     */
    public function stop($labels = []): float
    {
        $seconds = (hrtime(true) - $this->started) / 1e9;
        if (!$this->stopped) {
            $this->stopped = true;
            ($this->observe)($seconds, $labels);
        }
        return $seconds;
    }
}
