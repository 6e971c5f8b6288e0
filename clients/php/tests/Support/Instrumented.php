<?php

declare(strict_types=1);

namespace PromStreamGateway\Tests\Support;

use Prometheus\CollectorRegistry;
use PromStreamGateway\Client;
use PromStreamGateway\Options;
use PromStreamGateway\PromPhpStorage;

/** Calls of the driver, made with metrics of PromPHP. */
final class Instrumented
{
    private readonly PromPhpStorage $storage;
    /** @var array<string, string> */
    private array $help = [];
    /** @var array<string, CollectorRegistry> one for each set of label names: a metric has the same ones always */
    private array $registries = [];
    /** @var array<string, int|float> what gauges are at */
    private array $levels = [];

    public function __construct(Client $client)
    {
        $this->storage = new PromPhpStorage($client);
    }

    /** @param array<string, mixed> $call */
    public function call(array $call): void
    {
        $name = $call['name'];
        if ($call['call'] === 'describe') {
            $this->help[$name] = $call['help'];
            return;
        }
        $labels = $call['labels'];
        ksort($labels, SORT_STRING);
        $names = array_keys($labels);
        $labels = array_values($labels);
        $registry = $this->registries[implode(',', $names)] ??= new CollectorRegistry($this->storage, false);
        $metric = ['', $name, $this->help[$name] ?? '', $names];
        match ($call['call']) {
            'counter' => $registry->getOrRegisterCounter(...$metric)->incBy($call['value'], $labels),
            'gauge' => $registry->getOrRegisterGauge(...$metric)->set($this->level($call), $labels),
            'histogram' => $registry->getOrRegisterHistogram(...[
                ...$metric,
                $call['buckets'] ?? Options::DEFAULT_BUCKETS,
            ])->observe($call['value'], $labels),
            'summary' => $registry->getOrRegisterSummary(...$metric)->observe($call['value'], $labels),
        };
    }

    /**
     * What a gauge is set to: PromPHP has no maximum and no minimum.
     *
     * @param array<string, mixed> $call
     */
    private function level(array $call): int|float
    {
        ksort($call['labels'], SORT_STRING);
        $key = serialize([$call['name'], $call['labels']]);
        $before = $this->levels[$key] ?? null;
        return $this->levels[$key] = match (true) {
            $before === null, $call['op'] === 'set' => $call['value'],
            $call['op'] === 'add' => $before + $call['value'],
            $call['op'] === 'max' => max($before, $call['value']),
            $call['op'] === 'min' => min($before, $call['value']),
        };
    }
}
