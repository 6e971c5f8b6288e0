<?php

declare(strict_types=1);

namespace PromStreamGateway\Series;

use PromStreamGateway\Payload;

use function is_finite;

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

    protected function takeFields(): array
    {
        $fields = ',"value":' . Payload::json($this->total);
        $this->total = 0;
        return [$fields];
    }
}
