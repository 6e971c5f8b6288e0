<?php

declare(strict_types=1);

namespace PromStreamGateway;

/** How a client behaves. Each option has a default. */
final class Options
{
    public const DEFAULT_KEY = 'prom-stream-gateway:metric-queue';
    public const DEFAULT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
    public const DEFAULT_QUANTILES = [0.5, 0.9, 0.99];
    private const LONGEST_TIMEOUT = 0.3;

    public readonly string $key;
    public readonly float $timeout;
    public readonly bool $disabled;

    /**
     * @param ?string $key the list that the gateway reads; null for PROM_STREAM_GATEWAY_KEY, or the default
     * @param array<string, mixed> $labels put on each sample; labels of the sample itself win
     * @param list<int|float> $buckets of histograms that name none
     * @param list<int|float> $quantiles of summaries that name none
     * @param float $timeout seconds for a whole flush, 0.3 at most
     * @param int $maxSeries of the buffer, which is flushed when it is full
     * @param int $maxObservations of summaries that the buffer holds
     * @param bool $autoFlush whether a full buffer is flushed; if not, further series are dropped
     * @param ?\Closure(string): void $log takes one line for each cause of a loss; null for error_log()
     * @param ?bool $disabled records and sends nothing; null for PROM_STREAM_GATEWAY_DISABLED
     * @param ?int $partitions of the queue, of which one is chosen at random; null for
     *     PROM_STREAM_GATEWAY_PARTITIONS, or 1
     */
    public function __construct(
        ?string $key = null,
        public readonly array $labels = [],
        public readonly array $buckets = self::DEFAULT_BUCKETS,
        public readonly array $quantiles = self::DEFAULT_QUANTILES,
        float $timeout = 0.2,
        public readonly int $maxSeries = 1000,
        public readonly int $maxObservations = 10000,
        public readonly bool $autoFlush = true,
        public readonly ?\Closure $log = null,
        ?bool $disabled = null,
        ?int $partitions = null,
    ) {
        $key ??= self::environment('PROM_STREAM_GATEWAY_KEY') ?? self::DEFAULT_KEY;
        $partitions ??= (int) self::environment('PROM_STREAM_GATEWAY_PARTITIONS');
        $this->key = self::partitionOf($key, $partitions);
        $this->timeout = min($timeout, self::LONGEST_TIMEOUT);
        $this->disabled = $disabled
            ?? filter_var(self::environment('PROM_STREAM_GATEWAY_DISABLED'), FILTER_VALIDATE_BOOL);
    }

    /** The key of one of the partitions. The first one has that of the queue itself. */
    private static function partitionOf(string $key, int $count): string
    {
        $partition = $count > 1 ? random_int(0, $count - 1) : 0;
        return $partition > 0 ? "$key:$partition" : $key;
    }

    /** Frameworks that read a .env file fill $_SERVER or $_ENV, and not always the process' own. */
    public static function environment(string $name): ?string
    {
        $value = $_SERVER[$name] ?? $_ENV[$name] ?? getenv($name);
        return is_string($value) && $value !== '' ? $value : null;
    }
}
