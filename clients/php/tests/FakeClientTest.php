<?php

declare(strict_types=1);

namespace PromStreamGateway\Tests;

use PHPUnit\Framework\AssertionFailedError;
use PHPUnit\Framework\TestCase;
use PromStreamGateway\Options;
use PromStreamGateway\Testing\FakeClient;

final class FakeClientTest extends TestCase
{
    private FakeClient $metrics;

    protected function setUp(): void
    {
        $this->metrics = new FakeClient(new Options(log: fn () => null));
        $this->metrics->counter('jobs_total', ['queue' => 'mail', 'code' => 200], 2);
        $this->metrics->counter('jobs_total', ['queue' => 'resize']);
        $this->metrics->flush();
        $this->metrics->counter('jobs_total', ['queue' => 'mail', 'code' => 500]);
        $this->metrics->gauge('busy')->set(3);
        $this->metrics->gauge('busy')->inc();
        $this->metrics->flush();
        $this->metrics->gauge('busy')->max(10);
        $this->metrics->gauge('busy')->min(9);
        for ($i = 0; $i < 50; $i++) {
            $this->metrics->histogram('job_seconds', $i, ['queue' => 'mail']);
        }
        $this->metrics->summary('job_bytes', 1);
    }

    public function testWhatHoldsIsAsserted(): void
    {
        $this->metrics->assertCounter('jobs_total', 4);
        $this->metrics->assertCounter('jobs_total', 3, ['queue' => 'mail']);
        $this->metrics->assertCounter('jobs_total', 1, ['code' => 500]);
        $this->metrics->assertGauge('busy', 9);
        $this->metrics->assertObserved('job_seconds', 50, ['queue' => 'mail']);
        $this->metrics->assertObserved('job_bytes');
        $this->metrics->assertNotRecorded('jobs_total', ['queue' => 'other']);
        $this->metrics->assertNotRecorded('other_total');
        $this->metrics->assertNothingDropped();
        $this->metrics->clear();
        $this->metrics->assertNothingRecorded();
    }

    /** @return iterable<array{\Closure(FakeClient): void}> */
    public static function wrong(): iterable
    {
        yield [fn (FakeClient $metrics) => $metrics->assertCounter('jobs_total', 3)];
        yield [fn (FakeClient $metrics) => $metrics->assertCounter('busy', 9)];
        yield [fn (FakeClient $metrics) => $metrics->assertGauge('other', 0)];
        yield [fn (FakeClient $metrics) => $metrics->assertObserved('job_seconds', 49)];
        yield [fn (FakeClient $metrics) => $metrics->assertNotRecorded('busy')];
        yield [fn (FakeClient $metrics) => $metrics->assertNothingRecorded()];
        yield [function (FakeClient $metrics): void {
            $metrics->counter(' ');
            $metrics->assertNothingDropped();
        }];
    }

    /**
     * @dataProvider wrong
     * @param \Closure(FakeClient): void $assertion
     */
    public function testWhatDoesNotHoldFails(\Closure $assertion): void
    {
        $this->expectException(AssertionFailedError::class);
        $assertion($this->metrics);
    }
}
