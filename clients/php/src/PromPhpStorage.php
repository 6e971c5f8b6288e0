<?php

declare(strict_types=1);

namespace PromStreamGateway;

use Prometheus\Exception\StorageException;
use Prometheus\MetricFamilySamples;
use Prometheus\Storage\Adapter;

/**
 * Storage for PromPHP (promphp/prometheus_client_php) that sends instead of
 * storing: new CollectorRegistry(new PromPhpStorage(Client::connect())).
 *
 * A summary's maxAgeSeconds has no effect: its window is the gateway's setting.
 */
final class PromPhpStorage implements Adapter
{
    private const SCRAPE_SECONDS = 5;

    /** @var array<string, true> */
    private array $described = [];

    /**
     * @param ?string $metricsUrl where the gateway shows metrics, for collect(), such as
     *     http://gateway:9091/metrics?name[]=jobs_total; null if nothing collects
     * @param bool $phpInfo whether to send `php_info`, which a CollectorRegistry sets whenever it is made
     */
    public function __construct(
        private readonly Client $client,
        private readonly ?string $metricsUrl = null,
        private readonly bool $phpInfo = false,
    ) {
    }

    /** Sends what was recorded. It also happens by itself, at the end of the process. */
    public function flush(): bool
    {
        return $this->client->flush();
    }

    /**
     * What the gateway shows now, or nothing if it is not known where it is.
     *
     * @return MetricFamilySamples[]
     * @throws StorageException where the gateway does not answer
     */
    public function collect(bool $sortMetrics = true): array
    {
        if ($this->metricsUrl === null) {
            return [];
        }
        $families = Exposition::parse($this->scrape($this->metricsUrl));
        if ($sortMetrics) {
            ksort($families, SORT_STRING);
        }
        return array_map(fn (array $family) => new MetricFamilySamples($family), array_values($families));
    }

    /** @param mixed[] $data */
    public function updateCounter(array $data): void
    {
        $this->describe($data);
        // Counters that are set, which PromPHP no longer offers, would count what was there again.
        $value = ($data['command'] ?? null) === Adapter::COMMAND_SET ? null : $data['value'] ?? null;
        $this->client->counter($data['name'] ?? null, self::labels($data), $value);
    }

    /** @param mixed[] $data */
    public function updateGauge(array $data): void
    {
        if (($data['name'] ?? null) === 'php_info' && !$this->phpInfo) {
            return;
        }
        $this->describe($data);
        $gauge = $this->client->gauge($data['name'] ?? null, self::labels($data));
        if (($data['command'] ?? null) === Adapter::COMMAND_SET) {
            $gauge->set($data['value'] ?? null);
        } else {
            $gauge->add($data['value'] ?? null);
        }
    }

    /** @param mixed[] $data */
    public function updateHistogram(array $data): void
    {
        $this->describe($data);
        $this->client->histogram(
            $data['name'] ?? null,
            $data['value'] ?? null,
            self::labels($data),
            $data['buckets'] ?? null,
        );
    }

    /** @param mixed[] $data */
    public function updateSummary(array $data): void
    {
        $this->describe($data);
        $this->client->summary(
            $data['name'] ?? null,
            $data['value'] ?? null,
            self::labels($data),
            $data['quantiles'] ?? null,
        );
    }

    /** Forgets what was not sent yet; what the gateway has stays. */
    public function wipeStorage(): void
    {
        $this->client->clear();
    }

    /** @param mixed[] $data */
    private function describe(array $data): void
    {
        $name = $data['name'] ?? null;
        if (is_string($name) && !isset($this->described[$name])) {
            $this->described[$name] = true;
            $this->client->describe($name, $data['help'] ?? null);
        }
    }

    /**
     * PromPHP gives names and values apart.
     *
     * @param mixed[] $data
     * @return ?array<string, mixed> null where they don't go together, which the client drops and tells
     */
    private static function labels(array $data): ?array
    {
        $names = $data['labelNames'] ?? [];
        $values = $data['labelValues'] ?? [];
        return is_array($names) && is_array($values) && count($names) === count($values)
            ? array_combine($names, $values)
            : null;
    }

    private function scrape(string $url): string
    {
        $context = stream_context_create(['http' => [
            'header' => 'Accept: text/plain;version=0.0.4',
            'timeout' => self::SCRAPE_SECONDS,
        ]]);
        error_clear_last();
        $text = @file_get_contents($url, false, $context);
        if ($text === false) {
            throw new StorageException('no metrics from the gateway: ' . (error_get_last()['message'] ?? 'no answer'));
        }
        return $text;
    }
}
