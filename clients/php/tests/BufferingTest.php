<?php

declare(strict_types=1);

namespace PromStreamGateway\Tests;

use PHPUnit\Framework\TestCase;
use PromStreamGateway\Client;
use PromStreamGateway\Connection;
use PromStreamGateway\Options;
use PromStreamGateway\Testing\MemoryConnection;

/** What becomes of calls between two flushes. */
final class BufferingTest extends TestCase
{
    private MemoryConnection $memory;
    /** @var list<string> */
    private array $said = [];

    protected function setUp(): void
    {
        $this->memory = new MemoryConnection();
        $this->said = [];
    }

    private function client(mixed ...$options): Client
    {
        $log = function (string $line): void {
            $this->said[] = $line;
        };
        return new Client($this->memory, new Options(...$options, log: $log));
    }

    public function testAThousandIncrementsAreOneSample(): void
    {
        $client = $this->client();
        for ($i = 0; $i < 1000; $i++) {
            $client->counter('jobs_total', $i % 2 ? ['a' => 1, 'b' => 'x'] : ['b' => 'x', 'a' => '1']);
        }
        self::assertTrue($client->flush());
        self::assertSame(
            [['name' => 'jobs_total', 'type' => 'counter', 'labels' => ['a' => '1', 'b' => 'x'], 'value' => 1000]],
            $this->memory->samples,
        );
        self::assertTrue($client->flush());
        self::assertCount(1, $this->memory->pushes, 'nothing is sent twice, and nothing where there is nothing');
    }

    public function testSeriesAreToldApart(): void
    {
        $client = $this->client();
        $client->counter('x', ['a' => "1\0b", 'c' => '']);
        $client->counter('x', ['a' => '1', 'b' => null]);
        $client->counter('x', ['a' => true]);
        $client->counter('x', ['a' => 1.5]);
        $client->summary('x', 1, ['a' => '1']);
        $client->gauge('x', ['a' => '1'])->set(1);
        $client->flush();
        self::assertSame(
            ["1\0b", '1', 'true', '1.5', '1', '1'],
            array_column(array_column($this->memory->samples, 'labels'), 'a'),
        );
    }

    public function testALabelIsWhatAnObjectIsNow(): void
    {
        $client = $this->client();
        $user = new class implements \Stringable {
            public string $name = 'a';

            public function __toString(): string
            {
                return $this->name;
            }
        };
        $client->counter('x_total', ['user' => $user, 'zone' => null]);
        $user->name = 'b';
        $client->counter('x_total', ['user' => $user, 'zone' => null]);
        $client->flush();
        self::assertSame([['user' => 'a'], ['user' => 'b']], array_column($this->memory->samples, 'labels'));
    }

    /** What is sent is kept to be recorded again, but not all of it for ever. */
    public function testSeriesThatComeAndGoTakeNoMoreMemory(): void
    {
        $connection = new class implements Connection {
            /** @var array<string, int> */
            public array $totals = [];

            public function lpush(string $key, array $elements, float $timeout): void
            {
                foreach ($elements as $element) {
                    foreach (json_decode($element, true) as $sample) {
                        $name = rtrim($sample['name'], '0..9');
                        $this->totals[$name] = ($this->totals[$name] ?? 0) + $sample['value'];
                    }
                }
            }
        };
        $client = new Client($connection, new Options(maxSeries: 50));
        $memory = 0;
        for ($i = 0; $i < 20000; $i++) {
            $client->counter('often_total');
            $client->counter("seldom_$i");
            $client->counter('again_total', ['number' => $i % 70]);
            if ($i === 1000) {
                $memory = memory_get_usage();
            }
        }
        $client->flush();
        self::assertLessThan($memory + 100_000, memory_get_usage());
        ksort($connection->totals);
        self::assertSame(
            ['again_total' => 20000, 'often_total' => 20000, 'seldom_' => 20000],
            $connection->totals,
        );
    }

    public function testDefaultLabelsGoWithEachSampleAndGiveWay(): void
    {
        $client = $this->client(labels: ['app' => 'shop', 'zone' => 'a']);
        $client->counter('x_total', ['zone' => 'b']);
        $client->flush();
        self::assertSame(['app' => 'shop', 'zone' => 'b'], $this->memory->samples[0]['labels']);
    }

    /** Merged or not, operations lead to the same value from whatever was there. */
    public function testOperationsOnAGaugeKeepTheirMeaning(): void
    {
        $seed = random_int(0, PHP_INT_MAX);
        mt_srand($seed);
        for ($case = 0; $case < 500; $case++) {
            $client = $this->client();
            $this->memory->samples = [];
            $expected = $start = mt_rand(-5, 5);
            $length = mt_rand(1, 12);
            for ($i = 0; $i < $length; $i++) {
                $operation = ['set', 'add', 'max', 'min'][mt_rand(0, 3)];
                $number = mt_rand(-5, 5);
                $client->gauge('g')->$operation($number);
                $expected = self::operated($expected, $operation, $number);
            }
            $client->flush();
            $actual = $start;
            foreach ($this->memory->samples as $sample) {
                $actual = self::operated($actual, $sample['op'] ?? 'set', $sample['value']);
            }
            self::assertSame($expected, $actual, "seed $seed, case $case");
            self::assertLessThanOrEqual($length, count($this->memory->samples));
        }
    }

    private static function operated(int $value, string $operation, int $number): int
    {
        return match ($operation) {
            'set' => $number,
            'add' => $value + $number,
            'max' => max($value, $number),
            'min' => min($value, $number),
        };
    }

    public function testWhatCanBeMergedIsOneSample(): void
    {
        $client = $this->client();
        $gauge = $client->gauge('g');
        $gauge->set(5);
        $gauge->inc();
        $gauge->dec();
        $gauge->add(2.5);
        $gauge->max(100);
        $client->flush();
        self::assertSame([['name' => 'g', 'type' => 'gauge', 'value' => 100]], $this->memory->samples);
    }

    /** Few observations or many: the same counts, the same sum. */
    public function testObservationsOfAHistogramAreKeptOrCounted(): void
    {
        $seed = random_int(0, PHP_INT_MAX);
        mt_srand($seed);
        $client = $this->client();
        foreach ([1, 2, 31, 32, 33, 34, 500, 500, 1] as $times) {
            $this->memory->samples = [];
            $expected = [0, 0, 0, 0];
            $sum = 0;
            for ($i = 0; $i < $times; $i++) {
                $value = mt_rand(-10, 50) / 10;
                $client->histogram('h_seconds', $value, [], [0, 1, 2.5, INF]);
                $expected[self::bucket($value)]++;
                $sum += $value;
            }
            $client->flush();
            self::assertCount(1, $this->memory->samples);
            $sample = $this->memory->samples[0];
            self::assertSame([0, 1, 2.5], $sample['buckets']);
            self::assertSame($times > 32, isset($sample['counts']), "$times observations");
            $counts = [0, 0, 0, 0];
            foreach ($sample['values'] ?? [$sample['value'] ?? 0] as $value) {
                $counts[self::bucket($value)]++;
            }
            self::assertSame($expected, $sample['counts'] ?? $counts, "seed $seed, $times observations");
            self::assertEqualsWithDelta($sum, $sample['sum'] ?? $sum, 1e-6);
        }
    }

    private static function bucket(float $value): int
    {
        return $value <= 0 ? 0 : ($value <= 1 ? 1 : ($value <= 2.5 ? 2 : 3));
    }

    public function testTheFirstBucketsOfANameHold(): void
    {
        $client = $this->client();
        $client->describe('described_seconds', buckets: [1, 2]);
        $client->histogram('described_seconds', 1);
        $client->histogram('given_seconds', 1, ['a' => 1], [3]);
        $client->histogram('given_seconds', 1, ['a' => 2]);
        $client->histogram('plain_seconds', 1);
        $client->flush();
        self::assertSame(
            [[1, 2], [3], [3], Options::DEFAULT_BUCKETS],
            array_column($this->memory->samples, 'buckets'),
        );
    }

    public function testObservationsOfASummaryAreAllSent(): void
    {
        $client = $this->client();
        for ($i = 0; $i < 2500; $i++) {
            $client->summary('s', $i);
        }
        $client->flush();
        self::assertSame(range(0, 2499), array_merge(...array_column($this->memory->samples, 'values')));
        self::assertSame([0.5, 0.9, 0.99], $this->memory->samples[0]['quantiles']);
        self::assertSame([0.05, 0.01, 0.001], $this->memory->samples[0]['epsilons']);
    }

    public function testHelpAndUnitAreSentOncePerNameAndFlush(): void
    {
        $client = $this->client();
        $client->describe('job_seconds', 'How long jobs took.', 'seconds');
        for ($flush = 0; $flush < 2; $flush++) {
            $client->summary('job_seconds', 1, ['queue' => 'mail']);
            $client->summary('job_seconds', 1, ['queue' => 'resize']);
            $client->flush();
        }
        $client->describe('busy', 'How many are busy.');
        $client->gauge('busy')->inc();
        $client->gauge('busy')->max(3);
        $client->flush();
        self::assertSame(
            ['How long jobs took.', null, 'How long jobs took.', null, 'How many are busy.', null],
            array_map(fn (array $sample) => $sample['help'] ?? null, $this->memory->samples),
        );
        self::assertSame('seconds', $this->memory->samples[0]['unit']);
    }

    public function testAUnitThatTheNameDoesNotEndInIsSaidAndLeftOut(): void
    {
        $client = $this->client();
        $client->describe('job_time', unit: 'seconds');
        $client->summary('job_time', 1);
        $client->flush();
        self::assertArrayNotHasKey('unit', $this->memory->samples[0]);
        self::assertStringContainsString('_seconds', $this->said[0]);
        self::assertSame([], $client->dropped());
    }

    public function testSamplesAreFewArraysInTheirOrder(): void
    {
        $client = $this->client(maxSeries: 6000);
        foreach ([1, 2, 100, 5000] as $series) {
            for ($i = 0; $i < $series; $i++) {
                $client->counter('x_total', ['number' => $i, 'text' => str_repeat('é', $i % 100)]);
            }
            $this->memory->samples = [];
            $client->flush();
            $labels = array_column($this->memory->samples, 'labels');
            self::assertEquals(range(0, $series - 1), array_column($labels, 'number'));
            $sizes = array_map('strlen', end($this->memory->pushes));
            self::assertLessThanOrEqual(64 * 1024, max($sizes));
            // Only the last one has room left for another sample.
            array_pop($sizes);
            self::assertGreaterThan(64 * 1024 - 400, min([...$sizes, PHP_INT_MAX]));
        }
        self::assertCount(4, $this->memory->pushes, 'one LPUSH each');
        [[$alone], [$two]] = $this->memory->pushes;
        self::assertStringStartsWith('{', $alone);
        self::assertStringStartsWith('[{', $two);
    }

    public function testAFullBufferIsFlushed(): void
    {
        $client = $this->client(maxSeries: 10, maxObservations: 100);
        for ($i = 0; $i < 25; $i++) {
            $client->counter('x_total', ['number' => $i]);
        }
        self::assertCount(2, $this->memory->pushes);
        $client->flush();
        self::assertCount(25, $this->memory->samples);
        for ($i = 0; $i < 1000; $i++) {
            $client->summary('s', $i);
            $client->gauge('g')->add(1);
            $client->gauge('g')->max($i);
        }
        $client->flush();
        self::assertGreaterThan(10, count($this->memory->pushes));
        self::assertSame(1000, array_sum(array_map(
            fn (array $sample) => $sample['name'] === 's' ? count($sample['values'] ?? [0]) : 0,
            $this->memory->samples,
        )));
        self::assertSame([], $client->dropped());
    }

    public function testAFullBufferThatCannotBeSentIsCountedAndDoesNotWaitAgain(): void
    {
        $connection = new class implements Connection {
            public int $calls = 0;

            public function lpush(string $key, array $elements, float $timeout): void
            {
                $this->calls++;
                throw new \RuntimeException('away');
            }
        };
        $log = function (string $line): void {
            $this->said[] = $line;
        };
        $client = new Client($connection, new Options(maxSeries: 10, log: $log));
        for ($i = 0; $i < 100; $i++) {
            $client->counter('x_total', ['number' => $i]);
        }
        // What is there is still added to.
        $client->counter('x_total', ['number' => 15]);
        self::assertSame(1, $connection->calls);
        self::assertSame(['redis_unreachable' => 10, 'buffer_full' => 80], $client->dropped());
        self::assertFalse($client->flush());
        self::assertSame(2, $connection->calls);
        self::assertSame(['redis_unreachable' => 20, 'buffer_full' => 80], $client->dropped());
        self::assertSame('metrics were not sent: away', $client->lastReason());
        self::assertCount(2, $this->said, implode("\n", $this->said));
    }

    public function testWithoutAutomaticFlushesAFullBufferDrops(): void
    {
        $client = $this->client(maxSeries: 3, autoFlush: false);
        for ($i = 0; $i < 5; $i++) {
            $client->counter('x_total', ['number' => $i]);
        }
        self::assertSame([], $this->memory->pushes);
        self::assertSame(['buffer_full' => 2], $client->dropped());
    }

    /** @return iterable<string, array{\Closure(Client): void}> */
    public static function mistakes(): iterable
    {
        yield 'no name' => [fn (Client $client) => $client->counter(null)];
        yield 'an empty name' => [fn (Client $client) => $client->counter('')];
        yield 'a blank name' => [fn (Client $client) => $client->counter(" \n\u{85}\u{2003}")];
        yield 'bytes in a name' => [fn (Client $client) => $client->counter("a\xff")];
        yield 'an empty label name' => [fn (Client $client) => $client->counter('x', ['' => 'b'])];
        yield 'bytes in a label name' => [fn (Client $client) => $client->counter('x', ["a\xff" => 'b'])];
        yield 'NaN' => [fn (Client $client) => $client->counter('x', [], NAN)];
        yield 'infinity' => [fn (Client $client) => $client->gauge('x')->set(INF)];
        yield 'a text' => [fn (Client $client) => $client->summary('x', 'many')];
        yield 'a boolean' => [fn (Client $client) => $client->histogram('x', true)];
        yield 'a negative counter' => [fn (Client $client) => $client->counter('x', [], -1)];
        yield 'labels that are a text' => [fn (Client $client) => $client->counter('x', 'a=b')];
        yield 'a list of labels' => [fn (Client $client) => $client->counter('x', ['a', 'b'])];
        yield 'an array as a label' => [fn (Client $client) => $client->counter('x', ['a' => ['b']])];
        yield 'a reserved label' => [fn (Client $client) => $client->counter('x', ['__a' => 'b'])];
        yield 'le on a histogram' => [fn (Client $client) => $client->histogram('x', 1, ['le' => '1'])];
        yield 'quantile on a summary' => [fn (Client $client) => $client->summary('x', 1, ['quantile' => '1'])];
        yield 'no buckets' => [fn (Client $client) => $client->histogram('x', 1, [], [])];
        yield 'falling buckets' => [fn (Client $client) => $client->histogram('x', 1, [], [2, 1])];
        yield 'a quantile of 2' => [fn (Client $client) => $client->summary('x', 1, [], [2])];
        yield 'a label that throws' => [fn (Client $client) => $client->counter('x', ['a' => new class {
            public function __toString(): string
            {
                throw new \LogicException('not now');
            }
        }])];
    }

    /**
     * @dataProvider mistakes
     * @param \Closure(Client): void $mistake
     */
    public function testAMistakeIsDroppedCountedAndSaidOnce(\Closure $mistake): void
    {
        $client = $this->client();
        $mistake($client);
        $mistake($client);
        $client->counter('fine_total');
        self::assertTrue($client->flush());
        self::assertSame(['invalid' => 2], $client->dropped());
        self::assertSame(['fine_total'], array_column($this->memory->samples, 'name'));
        self::assertCount(1, $this->said);
        self::assertStringNotContainsString("\n", $this->said[0]);
    }

    public function testNamesAreOfAnyScript(): void
    {
        $client = $this->client();
        $names = ['größe.total', '温度', "😀\n ", '"\\', '1x', 'a:b', 'U__a', "a\0"];
        foreach ($names as $name) {
            $client->counter($name, [$name => 'x']);
        }
        self::assertTrue($client->flush());
        self::assertSame([], $client->dropped());
        self::assertSame($names, array_column($this->memory->samples, 'name'));
        self::assertSame(
            array_map(fn (string $name) => [$name => 'x'], $names),
            array_column($this->memory->samples, 'labels'),
        );
    }

    public function testATotalBeyondAllNumbersIsRefused(): void
    {
        $client = $this->client();
        foreach ([PHP_FLOAT_MAX, PHP_FLOAT_MAX] as $value) {
            $client->counter('c', [], $value);
            $client->gauge('g')->add($value);
            $client->histogram('h', $value);
        }
        $client->flush();
        self::assertSame(['invalid' => 3], $client->dropped());
        self::assertSame(array_fill(0, 3, PHP_FLOAT_MAX), array_column($this->memory->samples, 'value'));
    }

    public function testNumbersOfDatabasesAndFormsAreNumbers(): void
    {
        $client = $this->client();
        $client->counter('x_total', [], '1.5');
        $client->counter('x_total', [], '2');
        $client->flush();
        self::assertSame(3.5, $this->memory->samples[0]['value']);
    }

    public function testWhatIsNotUtf8IsReplaced(): void
    {
        $client = $this->client();
        $client->counter('x_total', ['path' => "caf\xe9"]);
        $client->flush();
        self::assertSame("caf\u{fffd}", $this->memory->samples[0]['labels']['path']);
    }

    public function testASampleThatIsTooLargeIsDroppedAlone(): void
    {
        $client = $this->client();
        $client->counter('large_total', ['text' => str_repeat('x', 40000)]);
        $client->counter('fine_total');
        $client->flush();
        self::assertSame(['fine_total'], array_column($this->memory->samples, 'name'));
        self::assertSame(['invalid' => 1], $client->dropped());
    }

    public function testCausesAreNotSaidWithoutEnd(): void
    {
        $client = $this->client();
        for ($i = 0; $i < 1000; $i++) {
            $client->counter("$i\xff");
        }
        self::assertSame(['invalid' => 1000], $client->dropped());
        self::assertLessThan(100, count($this->said));
    }

    public function testDisabledItDoesNothing(): void
    {
        $_SERVER['PROM_STREAM_GATEWAY_DISABLED'] = '1';
        try {
            $client = $this->client();
        } finally {
            unset($_SERVER['PROM_STREAM_GATEWAY_DISABLED']);
        }
        $client->counter('x_total');
        $client->counter('-');
        $client->gauge('g')->inc();
        $client->timer('t_seconds')->stop();
        self::assertSame(7, $client->wrap(fn () => 7)());
        self::assertTrue($client->flush());
        self::assertSame([], $this->memory->pushes);
        self::assertSame([], $client->dropped());
    }

    public function testATimerObservesOnceWhateverHappens(): void
    {
        $client = $this->client();
        $timer = $client->timer('job_seconds', ['queue' => 'mail']);
        self::assertGreaterThan(0, $timer->stop(['outcome' => 'done']));
        $timer->stop();
        self::assertSame(7, $client->time('job_seconds', fn () => 7, ['queue' => 'mail']));
        try {
            $client->time('job_seconds', fn () => throw new \LogicException('work'), ['queue' => 'mail']);
            self::fail('expected the exception of the work');
        } catch (\LogicException $error) {
            self::assertSame('work', $error->getMessage());
        }
        $client->flush();
        self::assertSame(['outcome' => 'done', 'queue' => 'mail'], $this->memory->samples[0]['labels']);
        self::assertCount(2, $this->memory->samples[1]['values']);
    }

    public function testWrappedWorkIsFlushedEvenIfItThrows(): void
    {
        $client = $this->client();
        $handler = $client->wrap(function (string $event) use ($client): string {
            $client->counter('events_total');
            return $event === 'bad' ? throw new \LogicException() : $event;
        });
        self::assertSame('good', $handler('good'));
        self::assertCount(1, $this->memory->pushes);
        try {
            $handler('bad');
        } catch (\LogicException) {
        }
        self::assertCount(2, $this->memory->pushes);
    }

    public function testAClientThatIsLeftBehindIsSent(): void
    {
        $this->client()->counter('x_total');
        self::assertCount(1, $this->memory->samples);
    }

    public function testAForkedProcessDoesNotSendWhatItsParentRecorded(): void
    {
        if (!function_exists('pcntl_fork')) {
            self::markTestSkipped('needs the pcntl extension');
        }
        $file = (string) tempnam(sys_get_temp_dir(), 'psg');
        $client = $this->client();
        $client->counter('parent_total');
        $child = pcntl_fork();
        if ($child === 0) {
            $client->counter('child_total');
            $client->flush();
            file_put_contents($file, implode(' ', array_column($this->memory->samples, 'name')));
            posix_kill((int) getmypid(), SIGKILL);
        }
        pcntl_waitpid($child, $status);
        $client->flush();
        self::assertSame('child_total', file_get_contents($file));
        self::assertSame(['parent_total'], array_column($this->memory->samples, 'name'));
        unlink($file);
    }
}
