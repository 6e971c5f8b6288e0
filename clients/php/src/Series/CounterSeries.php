<?php

declare(strict_types=1);

namespace PromStreamGateway\Series;

/** A sum. */
final class CounterSeries extends Series
{
    private int|float $total = 0;

    public function add(int|float $number, string $operation): bool
    {
        $total = $this->total + $number;
        if (!is_finite($total)) {
            return false;
        }
        $this->total = $total;
        return true;
    }

    public function samples(): array
    {
        return [['name' => $this->name, 'type' => 'counter', 'value' => $this->total]];
    }
}
