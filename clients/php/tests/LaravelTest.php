<?php

declare(strict_types=1);

namespace PromStreamGateway\Tests;

use Illuminate\Config\Repository;
use Illuminate\Foundation\Application;
use Illuminate\Support\Facades\Facade;
use PHPUnit\Framework\TestCase;
use PromStreamGateway\Client;
use PromStreamGateway\Laravel\Metrics;
use PromStreamGateway\Laravel\MetricsServiceProvider;
use PromStreamGateway\PromPhpStorage;
use PromStreamGateway\Tests\Support\RedisServer;

/** In an application of Laravel, but for its kernels. */
final class LaravelTest extends TestCase
{
    private RedisServer $redis;
    private Application $application;

    protected function setUp(): void
    {
        // Debian's Laravel has a loader of its own.
        if (!class_exists(Application::class) && stream_resolve_include_path('Illuminate/autoload.php') !== false) {
            require_once 'Illuminate/autoload.php';
        }
        if (!class_exists(Application::class)) {
            self::markTestSkipped('needs Laravel');
        }
        if (!RedisServer::isThere() || !extension_loaded('redis')) {
            self::markTestSkipped('needs redis-server and the redis extension');
        }
        $this->redis = new RedisServer();
        $this->application = $this->application();
    }

    /** @param array<string, mixed> $own of the package's configuration */
    private function application(array $own = []): Application
    {
        $application = new Application(sys_get_temp_dir());
        $application->instance('config', new Repository([
            'database' => ['redis' => [
                'client' => 'phpredis',
                'options' => ['prefix' => 'laravel_database_'],
                'default' => ['host' => '127.0.0.1', 'password' => null, 'port' => (string) $this->redis->port],
            ]],
            'prom-stream-gateway' => $own,
        ]));
        $application->register(MetricsServiceProvider::class);
        $application->boot();
        Facade::clearResolvedInstances();
        Facade::setFacadeApplication($application);
        return $application;
    }

    public function testComposerTellsLaravelAboutTheProviderAndTheFacade(): void
    {
        $json = (string) file_get_contents(dirname(__DIR__) . '/composer.json');
        self::assertSame(
            ['aliases' => ['Metrics' => Metrics::class], 'providers' => [MetricsServiceProvider::class]],
            json_decode($json, true)['extra']['laravel'],
        );
    }

    public function testAfterTheResponseTheRequestIsFlushedWithoutThePrefix(): void
    {
        Metrics::counter('requests_total', ['route' => 'home']);
        Metrics::gauge('busy')->inc();
        self::assertSame([], $this->redis->samples());
        $this->application->terminate();
        self::assertSame(['requests_total', 'busy'], array_column($this->redis->samples(), 'name'));
    }

    /** @return iterable<array{string}> */
    public static function ends(): iterable
    {
        yield ['Illuminate\Queue\Events\JobProcessed'];
        yield ['Illuminate\Queue\Events\JobExceptionOccurred'];
        yield ['Illuminate\Queue\Events\JobFailed'];
        yield ['Illuminate\Queue\Events\WorkerStopping'];
        yield ['Illuminate\Console\Events\CommandFinished'];
        yield ['Laravel\Octane\Events\RequestTerminated'];
        yield ['Laravel\Octane\Events\TaskTerminated'];
        yield ['Laravel\Octane\Events\TickTerminated'];
        yield ['Laravel\Octane\Events\WorkerStopping'];
    }

    /** @dataProvider ends */
    public function testAfterOtherWorkItIsFlushed(string $event): void
    {
        if (str_starts_with($event, 'Illuminate')) {
            self::assertTrue(class_exists($event), 'it has another name');
        }
        Metrics::counter('work_total');
        $this->application->make('events')->dispatch($event, [new \stdClass()]);
        self::assertCount(1, $this->redis->samples());
    }

    /** Octane copies the application for each request. */
    public function testCopiesOfTheApplicationShareTheClient(): void
    {
        $copy = clone $this->application;
        $copy->make(Client::class)->counter('requests_total');
        $this->application->make('events')->dispatch('Laravel\Octane\Events\RequestTerminated');
        self::assertCount(1, $this->redis->samples());
    }

    public function testItIsConfigured(): void
    {
        $application = $this->application([
            'url' => $this->redis->url() . '/3', 'key' => 'samples', 'labels' => ['app' => 'shop'], 'buckets' => [1, 2],
        ]);
        $application->make(Client::class)->histogram('job_seconds', 1);
        $application->terminate();
        self::assertStringContainsString('db3:keys=1', $this->redis->command('INFO', 'keyspace'));
        $application = $this->application(['key' => 'samples', 'labels' => ['app' => 'shop'], 'buckets' => [1, 2]]);
        $application->make(PromPhpStorage::class);
        $application->make(Client::class)->histogram('job_seconds', 1);
        $application->terminate();
        self::assertSame([[1, 2]], array_column($this->redis->samples('samples'), 'buckets'));
        self::assertSame([['app' => 'shop']], array_column($this->redis->samples('samples'), 'labels'));
        $application = $this->application(['enabled' => false]);
        $application->make(Client::class)->counter('x_total');
        $application->terminate();
        self::assertSame([], $this->redis->samples());
    }

    public function testWhatGoesWrongIsInTheLogOfTheApplication(): void
    {
        $log = new class {
            /** @var list<string> */
            public array $lines = [];

            public function warning(string $line): void
            {
                $this->lines[] = $line;
            }
        };
        $application = $this->application(['connection' => 'other']);
        $application->instance('log', $log);
        $application->make(Client::class)->counter('x_total');
        $application->terminate();
        self::assertCount(1, $log->lines);
        self::assertStringContainsString('database.redis.other', $log->lines[0]);
    }

    public function testATestCanFakeIt(): void
    {
        $fake = Metrics::fake();
        Metrics::counter('x_total');
        $this->application->make(Client::class)->counter('x_total');
        $this->application->terminate();
        $fake->assertCounter('x_total', 2);
        self::assertSame([], $this->redis->samples());
    }
}
