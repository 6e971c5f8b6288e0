<?php

declare(strict_types=1);

namespace PromStreamGateway\Series;

use PromStreamGateway\Payload;

use function count;
use function is_finite;

/**
 * Operations in the order in which they came. One is merged with the one before
 * where that makes no difference; else both are sent, one after the other.
 */
final class GaugeSeries extends Series
{
    /** @var list<array{string, int|float}> */
    private array $operations = [];

    public function add(int|float $number, string $operation): bool
    {
        if ($operation === 'set') {
            $this->operations = [['set', $number]];
            return true;
        }
        if ($this->wouldGrow($operation)) {
            $this->operations[] = [$operation, $number];
            return true;
        }
        $last = count($this->operations) - 1;
        $before = $this->operations[$last][1];
        $after = match ($operation) {
            'add' => $before + $number,
            'max' => max($before, $number),
            'min' => min($before, $number),
        };
        if (!is_finite($after)) {
            return false;
        }
        $this->operations[$last][1] = $after;
        return true;
    }

    public function wouldGrow(string $operation): bool
    {
        $last = end($this->operations)[0] ?? null;
        return $operation !== 'set' && $last !== 'set' && $last !== $operation;
    }

    protected function takeFields(): array
    {
        $fields = [];
        foreach ($this->operations as [$operation, $number]) {
            $fields[] = ($operation === 'set' ? '' : ",\"op\":\"$operation\"") . ',"value":' . Payload::json($number);
        }
        $this->operations = [];
        return $fields;
    }
}
