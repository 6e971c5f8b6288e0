<?php

declare(strict_types=1);

namespace PromStreamGateway\Series;

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
    public function __construct(string $name, array $labels, private readonly array $quantiles)
    {
        parent::__construct($name, $labels);
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

    public function samples(): array
    {
        // The error in rank, a tenth of what is left beyond the quantile: 0.05 for 0.5, 0.001 for 0.99.
        $epsilon = fn (int|float $quantile) => round(min($quantile, 1 - $quantile) / 10, 9);
        $sample = ['name' => $this->name, 'type' => 'summary'];
        if ($this->quantiles !== []) {
            $sample['quantiles'] = $this->quantiles;
            $sample['epsilons'] = array_map($epsilon, $this->quantiles);
        }
        return array_map(
            fn (array $values) => $sample + (count($values) === 1 ? ['value' => $values[0]] : ['values' => $values]),
            array_chunk($this->values, self::VALUES_PER_SAMPLE),
        );
    }
}
