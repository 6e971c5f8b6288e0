<?php

declare(strict_types=1);

namespace PromStreamGateway;

use PromStreamGateway\Series\CounterSeries;
use PromStreamGateway\Series\GaugeSeries;
use PromStreamGateway\Series\HistogramSeries;
use PromStreamGateway\Series\Series;
use PromStreamGateway\Series\SummarySeries;

use function count;
use function is_scalar;

/**
 * Series by type, name and labels, each once. They stay when they have been sent,
 * since a worker and a function that is called again record the same ones.
 */
final class Buffer
{
    /** @var array<string, Series> */
    private array $series = [];
    /** @var list<Series> those with something to send */
    private array $pending = [];
    /**
     * The last labels of each type and name, as given.
     *
     * @var array<string, array<string, array{array<string, mixed>, Series}>>
     */
    private array $last = [];
    /** How often a series grew: operations of gauges, observations of summaries. */
    private int $growth = 0;

    public function __construct(
        private readonly int $maxSeries,
        private readonly int $maxGrowth,
    ) {
    }

    /** The series, if the last call with the name had the same labels. */
    public function repeated(string $type, string $name, mixed $labels): ?Series
    {
        $last = $this->last[$type][$name] ?? null;
        return $last !== null && $last[0] === $labels ? $last[1] : null;
    }

    /**
     * The series, which is new or there already.
     *
     * @param array<string, string> $labels in order
     * @param list<int|float> $layout buckets or quantiles
     */
    public function series(string $type, string $name, array $labels, array $layout): Series
    {
        // A name may be any text, so it comes last: what is serialized says where it ends.
        $key = "$type " . serialize($labels) . $name;
        if (!isset($this->series[$key]) && count($this->series) >= 2 * $this->maxSeries) {
            $this->series = array_filter($this->series, fn (Series $series) => $series->isPending);
            $this->last = [];
        }
        return $this->series[$key] ??= match ($type) {
            'counter' => new CounterSeries($name, $type, $labels),
            'gauge' => new GaugeSeries($name, $type, $labels),
            'histogram' => new HistogramSeries($name, $labels, $layout),
            'summary' => new SummarySeries($name, $labels, $layout),
        };
    }

    /**
     * For repeated(). What an object is as a text may change, so that labels with one
     * are never the same.
     *
     * @param array<string, mixed> $labels as given
     */
    public function remember(string $type, array $labels, Series $series): void
    {
        foreach ($labels as $value) {
            if ($value !== null && !is_scalar($value)) {
                return;
            }
        }
        $this->last[$type][$series->name] = [$labels, $series];
    }

    /** Takes room for one more operation; false where there is none. What only changes a number needs none. */
    public function takeRoom(Series $series, string $operation): bool
    {
        $grows = $series->wouldGrow($operation);
        if (!$series->isPending) {
            if (count($this->pending) >= $this->maxSeries) {
                return false;
            }
            $series->isPending = true;
            $this->pending[] = $series;
        } elseif ($grows && $this->growth >= $this->maxGrowth) {
            return false;
        }
        $this->growth += (int) $grows;
        return true;
    }

    /**
     * Those with something to send, which is the caller's to take.
     *
     * @return list<Series>
     */
    public function takePending(): array
    {
        $pending = $this->pending;
        $this->pending = [];
        $this->growth = 0;
        return $pending;
    }

    public function clear(): void
    {
        $this->takePending();
        $this->series = [];
        $this->last = [];
    }
}
