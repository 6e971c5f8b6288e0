<?php

declare(strict_types=1);

namespace PromStreamGateway\Testing;

use PHPUnit\Framework\Assert;
use PromStreamGateway\Client;
use PromStreamGateway\Options;
use PromStreamGateway\Validate;

/**
 * A client that sends nothing, for tests of what a program records. Labels that an
 * assertion names have to fit; a sample may have more.
 */
final class FakeClient extends Client
{
    private readonly MemoryConnection $memory;

    public function __construct(?Options $options = null)
    {
        $this->memory = new MemoryConnection();
        parent::__construct($this->memory, $options ?? new Options(disabled: false));
    }

    /**
     * All samples so far, as they would be sent.
     *
     * @return list<array<string, mixed>>
     */
    public function samples(): array
    {
        $this->flush();
        return $this->memory->samples;
    }

    /** @param array<string, mixed> $labels */
    public function counterValue(string $name, array $labels = []): int|float
    {
        return array_sum(array_column($this->matching('counter', $name, $labels), 'value'));
    }

    /** @param array<string, mixed> $labels of one gauge; null if nothing was recorded for it */
    public function gaugeValue(string $name, array $labels = []): int|float|null
    {
        $value = null;
        foreach ($this->matching('gauge', $name, $labels) as $sample) {
            $value = match ($sample['op'] ?? 'set') {
                'set' => $sample['value'],
                'add' => ($value ?? 0) + $sample['value'],
                'max' => max($value ?? $sample['value'], $sample['value']),
                'min' => min($value ?? $sample['value'], $sample['value']),
            };
        }
        return $value;
    }

    /** @param array<string, mixed> $labels */
    public function observationCount(string $name, array $labels = []): int
    {
        $count = fn (array $sample) => isset($sample['counts'])
            ? array_sum($sample['counts'])
            : count($sample['values'] ?? [$sample['value']]);
        $samples = [...$this->matching('histogram', $name, $labels), ...$this->matching('summary', $name, $labels)];
        return array_sum(array_map($count, $samples));
    }

    /** @param array<string, mixed> $labels */
    public function assertCounter(string $name, int|float $expected, array $labels = []): void
    {
        Assert::assertEquals($expected, $this->counterValue($name, $labels), "counter $name");
    }

    /** @param array<string, mixed> $labels */
    public function assertGauge(string $name, int|float $expected, array $labels = []): void
    {
        $value = $this->gaugeValue($name, $labels);
        Assert::assertNotNull($value, "gauge $name");
        Assert::assertEquals($expected, $value, "gauge $name");
    }

    /** @param array<string, mixed> $labels */
    public function assertObserved(string $name, int $times = 1, array $labels = []): void
    {
        Assert::assertSame($times, $this->observationCount($name, $labels), "observations of $name");
    }

    /** @param array<string, mixed> $labels */
    public function assertNotRecorded(string $name, array $labels = []): void
    {
        Assert::assertSame([], $this->matching(null, $name, $labels), "samples of $name");
    }

    public function assertNothingRecorded(): void
    {
        Assert::assertSame([], $this->samples());
    }

    /** No sample was dropped, so names, labels and values are what the gateway takes. */
    public function assertNothingDropped(): void
    {
        Assert::assertSame([], $this->dropped(), (string) $this->lastReason());
    }

    public function clear(): void
    {
        parent::clear();
        $this->memory->samples = [];
    }

    /**
     * @param array<string, mixed> $labels
     * @return list<array<string, mixed>>
     */
    private function matching(?string $type, string $name, array $labels): array
    {
        $labels = Validate::labels($labels);
        return array_values(array_filter($this->samples(), fn (array $sample) => $sample['name'] === $name
            && ($type === null || $sample['type'] === $type)
            && array_intersect_assoc($labels, $sample['labels'] ?? []) === $labels));
    }
}
