<?php

declare(strict_types=1);

namespace PromStreamGateway;

/** One gauge with its labels. Client::gauge() gives it; it may be kept. */
final class Gauge
{
    /** @internal @param \Closure(string, mixed): void $record */
    public function __construct(private readonly \Closure $record)
    {
    }

    /** @param int|float $value */
    public function set($value): void
    {
        ($this->record)('set', $value);
    }

    /** @param int|float $value negative to take away */
    public function add($value): void
    {
        ($this->record)('add', $value);
    }

    public function inc(): void
    {
        ($this->record)('add', 1);
    }

    public function dec(): void
    {
        ($this->record)('add', -1);
    }

    /** @param int|float $value the gauge keeps the greater one */
    public function max($value): void
    {
        ($this->record)('max', $value);
    }

    /** @param int|float $value the gauge keeps the smaller one */
    public function min($value): void
    {
        ($this->record)('min', $value);
    }
}
