<?php

declare(strict_types=1);

namespace PromStreamGateway\Series;

use PromStreamGateway\Payload;

use function count;
use function is_finite;

/** A few observations as they are, more of them as counts for each bucket. */
final class HistogramSeries extends Series
{
    private const MOST_VALUES = 32;

    /** @var list<int|float> */
    private array $values = [];
    /** @var list<int> one more than there are bounds, for +Inf; empty while the values are kept */
    private array $counts = [];
    private int|float $sum = 0;

    /**
     * @param array<string, string> $labels
     * @param non-empty-list<int|float> $bounds
     */
    public function __construct(string $name, array $labels, private readonly array $bounds)
    {
        parent::__construct($name, 'histogram', $labels, ['buckets' => $bounds]);
    }

    public function add(int|float $number, string $operation): bool
    {
        $sum = $this->sum + $number;
        if (!is_finite($sum)) {
            return false;
        }
        $this->sum = $sum;
        if ($this->counts !== []) {
            $this->count($number);
            return true;
        }
        $this->values[] = $number;
        if (count($this->values) > self::MOST_VALUES) {
            $this->counts = array_fill(0, count($this->bounds) + 1, 0);
            foreach ($this->values as $value) {
                $this->count($value);
            }
            $this->values = [];
        }
        return true;
    }

    protected function takeFields(): array
    {
        $fields = match (true) {
            $this->counts !== [] => ',"counts":' . Payload::json($this->counts) . ',"sum":' . Payload::json($this->sum),
            count($this->values) === 1 => ',"value":' . Payload::json($this->values[0]),
            default => ',"values":' . Payload::json($this->values),
        };
        [$this->counts, $this->values, $this->sum] = [[], [], 0];
        return [$fields];
    }

    private function count(int|float $number): void
    {
        $bucket = 0;
        while (isset($this->bounds[$bucket]) && $number > $this->bounds[$bucket]) {
            $bucket++;
        }
        $this->counts[$bucket]++;
    }
}
