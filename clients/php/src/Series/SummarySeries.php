<?php

declare(strict_types=1);

namespace PromStreamGateway\Series;

use PromStreamGateway\Payload;

/** All observations: quantiles can't be estimated from anything less. */
final class SummarySeries extends Series
{
    /** The gateway takes 4096; with so many a sample stays below 32 KB. */
    private const VALUES_PER_SAMPLE = 1000;

    /** @var list<int|float> */
    private array $values = [];

    /**
     * @param array<string, string> $labels
     * @param list<int|float> $quantiles
     */
    public function __construct(string $name, array $labels, array $quantiles)
    {
        // The error in rank, a tenth of what is left beyond the quantile: 0.05 for 0.5, 0.001 for 0.99.
        $epsilon = fn (int|float $quantile) => round(min($quantile, 1 - $quantile) / 10, 9);
        parent::__construct($name, 'summary', $labels, $quantiles === [] ? [] : [
            'quantiles' => $quantiles,
            'epsilons' => array_map($epsilon, $quantiles),
        ]);
    }

    public function add(int|float $number, string $operation): bool
    {
        $this->values[] = $number;
        return true;
    }

    public function wouldGrow(string $operation): bool
    {
        return true;
    }

    protected function takeFields(): array
    {
        $fields = [];
        foreach (array_chunk($this->values, self::VALUES_PER_SAMPLE) as $values) {
            $fields[] = count($values) === 1
                ? ',"value":' . Payload::json($values[0])
                : ',"values":' . Payload::json($values);
        }
        $this->values = [];
        return $fields;
    }
}
