<?php

declare(strict_types=1);

namespace PromStreamGateway\Laravel;

use Illuminate\Support\ServiceProvider;
use PromStreamGateway\Client;
use PromStreamGateway\Connection;
use PromStreamGateway\Options;
use PromStreamGateway\PromPhpStorage;

/** One client for the application, flushed when a unit of work has ended. */
final class MetricsServiceProvider extends ServiceProvider
{
    private const CONFIG = 'prom-stream-gateway';

    /** By name, since an application need not have all of these packages. */
    private const ENDS_OF_WORK = [
        'Illuminate\Queue\Events\JobProcessed',
        'Illuminate\Queue\Events\JobExceptionOccurred',
        'Illuminate\Queue\Events\JobFailed',
        'Illuminate\Queue\Events\WorkerStopping',
        'Illuminate\Console\Events\CommandFinished',
        'Laravel\Octane\Events\RequestTerminated',
        'Laravel\Octane\Events\TaskTerminated',
        'Laravel\Octane\Events\TickTerminated',
        'Laravel\Octane\Events\WorkerStopping',
    ];

    public function register(): void
    {
        $this->mergeConfigFrom(dirname(__DIR__, 2) . '/config/prom-stream-gateway.php', self::CONFIG);
        $this->app->singleton(Client::class, function () {
            return new Client($this->connection(), $this->options());
        });
        $this->app->singleton(PromPhpStorage::class, function ($app) {
            return new PromPhpStorage($app->make(Client::class), $this->setting('metrics_url'));
        });
    }

    public function boot(): void
    {
        if ($this->app->runningInConsole()) {
            $this->publishes([
                dirname(__DIR__, 2) . '/config/prom-stream-gateway.php'
                    => $this->app->configPath('prom-stream-gateway.php'),
            ], 'prom-stream-gateway-config');
        }
        // Made here, Octane's copies of the application for each request share it.
        $client = $this->app->make(Client::class);
        $flush = static function () use ($client): void {
            $client->flush();
        };
        // After the response is sent.
        $this->app->terminating($flush);
        $this->app->make('events')->listen(self::ENDS_OF_WORK, $flush);
    }

    private function options(): Options
    {
        return new Options(
            key: $this->setting('key'),
            partitions: $this->setting('partitions'),
            labels: $this->setting('labels') ?? [],
            buckets: $this->setting('buckets') ?? Options::DEFAULT_BUCKETS,
            timeout: (float) ($this->setting('timeout') ?? 0.2),
            maxSeries: (int) ($this->setting('max_series') ?? 1000),
            log: fn (string $line) => $this->app->make('log')->warning($line),
            disabled: $this->setting('enabled') === null ? null : !$this->setting('enabled'),
        );
    }

    /**
     * A connection of its own to where the application's own one goes: Laravel's put
     * a prefix before each key, and wait for a minute.
     */
    private function connection(): Connection
    {
        $redis = (array) $this->app->make('config')->get('database.redis', []);
        $address = function () use ($redis): Connection\Address {
            $url = $this->setting('url');
            if ($url !== null && $url !== '') {
                return Connection\Address::parse($url);
            }
            $name = $this->setting('connection') ?? 'default';
            $settings = $redis[$name] ?? $redis['clusters'][$name][0] ?? null;
            return is_array($settings)
                ? Connection\Address::ofSettings($settings)
                : throw new \RuntimeException("expected database.redis.$name in the configuration");
        };
        return extension_loaded('redis') && ($redis['client'] ?? 'phpredis') === 'phpredis'
            ? new Connection\PhpRedis($address)
            : new Connection\Predis($address);
    }

    private function setting(string $name): mixed
    {
        return $this->app->make('config')->get(self::CONFIG . ".$name");
    }
}
