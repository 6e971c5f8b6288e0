<?php

declare(strict_types=1);

namespace PromStreamGateway\Series;

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
        parent::__construct($name, $labels);
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

    public function samples(): array
    {
        $sample = ['name' => $this->name, 'type' => 'histogram', 'buckets' => $this->bounds];
        if ($this->counts !== []) {
            $sample['counts'] = $this->counts;
            $sample['sum'] = $this->sum;
        } elseif (count($this->values) === 1) {
            $sample['value'] = $this->values[0];
        } else {
            $sample['values'] = $this->values;
        }
        return [$sample];
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
