<?php

declare(strict_types=1);

namespace PromStreamGateway\Series;

/** What has been recorded of one series since the last flush. */
abstract class Series
{
    /** @param array<string, string> $labels */
    public function __construct(
        public readonly string $name,
        public readonly array $labels,
    ) {
    }

    /** Adds a number; false where the total would leave the range of numbers. */
    abstract public function add(int|float $number, string $operation): bool;

    /** Whether adding would make more to send, or only change what is to be sent. */
    public function wouldGrow(string $operation): bool
    {
        return false;
    }

    /**
     * What the gateway is to be told, in order, but for labels, help and unit.
     *
     * @return list<array<string, mixed>>
     */
    abstract public function samples(): array;
}
