<?php

declare(strict_types=1);

namespace PromStreamGateway;

use PromStreamGateway\Series\CounterSeries;
use PromStreamGateway\Series\GaugeSeries;
use PromStreamGateway\Series\HistogramSeries;
use PromStreamGateway\Series\Series;
use PromStreamGateway\Series\SummarySeries;

/** Series by type, name and labels, each once, until they are taken to be sent. */
final class Buffer
{
    /** @var array<string, Series> */
    private array $series = [];
    /** How often a series grew: operations of gauges, observations of summaries. */
    private int $growth = 0;

    public function __construct(
        private readonly int $maxSeries,
        private readonly int $maxGrowth,
    ) {
    }

    /**
     * What tells series apart.
     *
     * @param array<string, string> $labels in order
     */
    public static function key(string $type, string $name, array $labels): string
    {
        return "$type $name " . ($labels === [] ? '' : serialize($labels));
    }

    /** Whether there is room for this. What only changes a number always has room. */
    public function hasRoom(string $key, string $operation): bool
    {
        $series = $this->series[$key] ?? null;
        return $series === null
            ? count($this->series) < $this->maxSeries
            : !$series->wouldGrow($operation) || $this->growth < $this->maxGrowth;
    }

    /**
     * Adds to a series, which is new or there already; false where its total would
     * leave the range of numbers.
     *
     * @param array<string, string> $labels
     * @param list<int|float> $layout buckets or quantiles
     */
    public function add(
        string $key,
        string $type,
        string $name,
        array $labels,
        array $layout,
        int|float $number,
        string $operation,
    ): bool {
        $series = $this->series[$key] ??= match ($type) {
            'counter' => new CounterSeries($name, $labels),
            'gauge' => new GaugeSeries($name, $labels),
            'histogram' => new HistogramSeries($name, $labels, $layout),
            'summary' => new SummarySeries($name, $labels, $layout),
        };
        $this->growth += (int) $series->wouldGrow($operation);
        return $series->add($number, $operation);
    }

    /**
     * Empties the buffer. Help and unit go with the first sample of each name: the
     * gateway asks for no more.
     *
     * @param array<string, Description> $descriptions
     * @return list<array<string, mixed>>
     */
    public function take(array $descriptions): array
    {
        $samples = [];
        foreach ($this->series as $series) {
            foreach ($series->samples() as $sample) {
                if ($series->labels !== []) {
                    $sample['labels'] = $series->labels;
                }
                if (isset($descriptions[$series->name])) {
                    $sample += $descriptions[$series->name]->fields;
                    unset($descriptions[$series->name]);
                }
                $samples[] = $sample;
            }
        }
        $this->clear();
        return $samples;
    }

    public function clear(): void
    {
        $this->series = [];
        $this->growth = 0;
    }
}
