<?php

declare(strict_types=1);

namespace PromStreamGateway\Laravel;

use Illuminate\Support\Facades\Facade;
use PromStreamGateway\Client;
use PromStreamGateway\Testing\FakeClient;

/**
 * @method static void counter(string $name, array $labels = [], int|float $value = 1)
 * @method static \PromStreamGateway\Gauge gauge(string $name, array $labels = [])
 * @method static void histogram(string $name, int|float $value, array $labels = [], ?array $buckets = null)
 * @method static void summary(string $name, int|float $value, array $labels = [], ?array $quantiles = null)
 * @method static \PromStreamGateway\Timer timer(string $name, array $labels = [], ?array $buckets = null)
 * @method static mixed time(string $name, callable $work, array $labels = [], ?array $buckets = null)
 * @method static void describe(string $name, ?string $help = null, ?string $unit = null, ...$layout)
 * @method static \Closure wrap(callable $work)
 * @method static bool flush()
 * @method static void clear()
 * @method static array dropped()
 * @method static ?string lastReason()
 *
 * @see Client
 */
final class Metrics extends Facade
{
    /** Sends nothing from now on, so that a test can look at what was recorded. */
    public static function fake(): FakeClient
    {
        $fake = new FakeClient();
        static::swap($fake);
        return $fake;
    }

    protected static function getFacadeAccessor(): string
    {
        return Client::class;
    }
}
