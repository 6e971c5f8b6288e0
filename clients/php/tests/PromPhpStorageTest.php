<?php

declare(strict_types=1);

namespace PromStreamGateway\Tests;

use PHPUnit\Framework\TestCase;
use Prometheus\CollectorRegistry;
use Prometheus\Exception\StorageException;
use Prometheus\MetricFamilySamples;
use Prometheus\RenderTextFormat;
use Prometheus\Storage\Adapter;
use PromStreamGateway\Options;
use PromStreamGateway\PromPhpStorage;
use PromStreamGateway\Testing\FakeClient;
use PromStreamGateway\Tests\Support\Folder;
use PromStreamGateway\Tests\Support\Process;

/** The adapter's contract; with PromPHP itself where it is installed. */
final class PromPhpStorageTest extends TestCase
{
    private const EXPOSITION = <<<'TEXT'
        # HELP jobs_total Jobs\nthat were "done", in C:\\temp.
        # TYPE jobs_total counter
        jobs_total{queue="ma}il",text="a\"b\\c\nd,e=\"f"} 3
        jobs_total 1e+21
        # HELP job_seconds How long.
        # TYPE job_seconds histogram
        job_seconds_bucket{queue="mail",le="0.5"} 1
        job_seconds_bucket{queue="mail",le="+Inf"} 2
        job_seconds_sum{queue="mail"} 1.25
        job_seconds_count{queue="mail"} 2
        # TYPE a_gauge gauge
        a_gauge NaN

        TEXT;

    private FakeClient $client;
    private PromPhpStorage $storage;

    protected function setUp(): void
    {
        $this->client = new FakeClient(new Options(log: fn () => null));
        $this->storage = new PromPhpStorage($this->client);
    }

    /** @return array<string, mixed> */
    private static function data(string $type, string $name, mixed $value, array $more = []): array
    {
        return $more + [
            'name' => $name, 'help' => 'Help.', 'type' => $type, 'labelNames' => ['queue', 'code'],
            'labelValues' => ['mail', 200], 'value' => $value,
        ];
    }

    public function testEachUpdateIsASample(): void
    {
        self::assertInstanceOf(Adapter::class, $this->storage);
        $integer = ['command' => Adapter::COMMAND_INCREMENT_INTEGER];
        $float = ['command' => Adapter::COMMAND_INCREMENT_FLOAT];
        $set = ['command' => Adapter::COMMAND_SET];
        $this->storage->updateCounter(self::data('counter', 'app_jobs', 2, $integer));
        $this->storage->updateCounter(self::data('counter', 'app_jobs', 0.5, $float));
        $this->storage->updateGauge(self::data('gauge', 'app_busy', 1, $float));
        $this->storage->updateGauge(self::data('gauge', 'app_busy', -3, $float));
        $this->storage->updateGauge(self::data('gauge', 'app_size', 7.0, $set));
        $this->storage->updateHistogram(self::data('histogram', 'app_seconds', 0.2, ['buckets' => [0.1, 1.0]]));
        $this->storage->updateSummary(
            self::data('summary', 'app_bytes', 512, ['quantiles' => [0.05, 0.99], 'maxAgeSeconds' => 60]),
        );
        $labels = ['labels' => ['code' => '200', 'queue' => 'mail'], 'help' => 'Help.'];
        self::assertEquals([
            ['name' => 'app_jobs', 'type' => 'counter', 'value' => 2.5] + $labels,
            ['name' => 'app_busy', 'type' => 'gauge', 'op' => 'add', 'value' => -2] + $labels,
            ['name' => 'app_size', 'type' => 'gauge', 'value' => 7.0] + $labels,
            ['name' => 'app_seconds', 'type' => 'histogram', 'value' => 0.2, 'buckets' => [0.1, 1.0]] + $labels,
            ['name' => 'app_bytes', 'type' => 'summary', 'value' => 512, 'quantiles' => [0.05, 0.99],
                'epsilons' => [0.005, 0.001]] + $labels,
        ], $this->client->samples());
        $this->client->assertNothingDropped();
    }

    public function testThePhpInfoOfEachRequestIsSentOnlyIfItIsWanted(): void
    {
        $data = self::data('gauge', 'php_info', 1, [
            'labelNames' => ['version'], 'labelValues' => [PHP_VERSION], 'command' => Adapter::COMMAND_SET,
        ]);
        $this->storage->updateGauge($data);
        $this->client->assertNothingRecorded();
        (new PromPhpStorage($this->client, phpInfo: true))->updateGauge($data);
        $this->client->assertGauge('php_info', 1, ['version' => PHP_VERSION]);
    }

    public function testNothingIsThrownWhateverComes(): void
    {
        foreach (['updateCounter', 'updateGauge', 'updateHistogram', 'updateSummary'] as $update) {
            $this->storage->$update([]);
            $this->storage->$update(self::data('x', 'x', 1, ['labelValues' => ['one']]));
            $this->storage->$update(self::data('x', 'x', NAN));
        }
        $this->storage->updateCounter(self::data('counter', 'x', 1, ['command' => Adapter::COMMAND_SET]));
        $this->client->assertNothingRecorded();
        self::assertSame(['invalid' => 13], $this->client->dropped());
    }

    public function testWipingForgetsWhatWasNotSent(): void
    {
        $this->storage->updateCounter(self::data('counter', 'x', 1));
        $this->storage->wipeStorage();
        self::assertTrue($this->storage->flush());
        $this->client->assertNothingRecorded();
    }

    public function testCollectReadsTheGateway(): void
    {
        self::assertSame([], $this->storage->collect());
        [$folder, $port, $server] = $this->serve(self::EXPOSITION);
        $storage = new PromPhpStorage($this->client, "http://127.0.0.1:$port/metrics?name[]=jobs_total");
        $families = $storage->collect();
        self::assertContainsOnlyInstancesOf(MetricFamilySamples::class, $families);
        $seen = [];
        foreach ($families as $family) {
            foreach ($family->getSamples() as $sample) {
                $names = [...$family->getLabelNames(), ...$sample->getLabelNames()];
                $seen[] = [
                    $family->getType(), $sample->getName(), array_combine($names, $sample->getLabelValues()),
                    $sample->getValue(),
                ];
            }
        }
        self::assertSame([
            ['gauge', 'a_gauge', [], 'NaN'],
            ['histogram', 'job_seconds_bucket', ['queue' => 'mail', 'le' => '0.5'], '1'],
            ['histogram', 'job_seconds_bucket', ['queue' => 'mail', 'le' => '+Inf'], '2'],
            ['histogram', 'job_seconds_sum', ['queue' => 'mail'], '1.25'],
            ['histogram', 'job_seconds_count', ['queue' => 'mail'], '2'],
            ['counter', 'jobs_total', ['queue' => 'ma}il', 'text' => "a\"b\\c\nd,e=\"f"], '3'],
            ['counter', 'jobs_total', [], '1e+21'],
        ], $seen);
        self::assertSame("Jobs\nthat were \"done\", in C:\\temp.", $families[2]->getHelp());
        self::assertSame('jobs_total', $storage->collect(false)[0]->getName());
        self::assertStringContainsString('name[]=jobs_total', (string) file_get_contents($folder->file('asked')));
    }

    public function testAGatewayThatDoesNotAnswerIsAnErrorOfTheStorage(): void
    {
        foreach (['http://127.0.0.1:' . Process::freePort() . '/metrics', '/no/such/file'] as $url) {
            try {
                (new PromPhpStorage($this->client, $url))->collect();
                self::fail('expected an exception');
            } catch (StorageException $error) {
                self::assertStringContainsString('gateway', $error->getMessage());
            }
        }
    }

    public function testExistingCodeChangesOneConstructor(): void
    {
        if (!class_exists(CollectorRegistry::class)) {
            self::markTestSkipped('needs promphp/prometheus_client_php');
        }
        $registry = new CollectorRegistry($this->storage);
        $counter = $registry->getOrRegisterCounter('app', 'jobs', 'Jobs done.', ['queue']);
        $counter->inc(['mail']);
        $counter->incBy(2.5, ['mail']);
        $gauge = $registry->getOrRegisterGauge('app', 'busy', 'Busy workers.');
        $gauge->set(7);
        $gauge->incBy(2);
        $gauge->dec();
        $registry->getOrRegisterHistogram('app', 'job_seconds', 'How long.', [], [0.1, 1])->observe(0.2);
        $registry->getOrRegisterSummary('app', 'job_bytes', 'How much.')->observe(512);
        $this->client->assertCounter('app_jobs', 3.5, ['queue' => 'mail']);
        $this->client->assertGauge('app_busy', 8);
        $this->client->assertObserved('app_job_seconds');
        $this->client->assertObserved('app_job_bytes');
        $this->client->assertNotRecorded('php_info');
        $this->client->assertNothingDropped();

        [$folder, $port, $server] = $this->serve(self::EXPOSITION);
        $collecting = new CollectorRegistry(new PromPhpStorage($this->client, "http://127.0.0.1:$port/metrics"));
        $text = (new RenderTextFormat())->render($collecting->getMetricFamilySamples());
        self::assertStringContainsString('job_seconds_bucket{queue="mail",le="0.5"} 1', $text);
    }

    /** @return array{Folder, int, Process} a folder where `asked` has the last request, port, and server */
    private function serve(string $text): array
    {
        $folder = new Folder();
        file_put_contents($folder->file('router.php'), '<?php
            file_put_contents(__DIR__ . "/asked", urldecode($_SERVER["REQUEST_URI"]));
            echo file_get_contents(__DIR__ . "/text");');
        file_put_contents($folder->file('text'), $text);
        $port = Process::freePort();
        $server = new Process([PHP_BINARY, '-S', "127.0.0.1:$port", $folder->file('router.php')]);
        $deadline = hrtime(true) + 10_000_000_000;
        while (!@fsockopen('127.0.0.1', $port)) {
            self::assertLessThan($deadline, hrtime(true), 'expected a server');
            usleep(1000);
        }
        return [$folder, $port, $server];
    }
}
