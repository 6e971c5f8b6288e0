<?php

declare(strict_types=1);

namespace PromStreamGateway;

use PromStreamGateway\Series\Series;

use function count;
use function getmypid;
use function is_array;
use function is_int;
use function is_string;
use function strlen;

/**
 * Records measurements in the process and sends them with one LPUSH: when flush()
 * is called, when the buffer is full, and at the end of the process.
 *
 * Nothing here throws, whatever it is given: what can't be sent is dropped,
 * counted, and said once. That is why parameters have their types in comments
 * only; a TypeError would fail the program that is measured.
 */
class Client
{
    private const MOST_NAMES = 10000;

    private readonly Options $options;
    private readonly Buffer $buffer;
    private readonly Losses $losses;
    /** @var array<string, Description> */
    private array $descriptions = [];
    /** @var array<string, list<int|float>> buckets and quantiles by type and name: the first that came */
    private array $layouts = [];
    private int $process;
    private bool $flushFailed = false;

    public function __construct(private readonly Connection $connection, ?Options $options = null)
    {
        $this->options = $options ?? new Options();
        $this->buffer = new Buffer($this->options->maxSeries, $this->options->maxObservations);
        $this->losses = new Losses($this->options->log);
        $this->process = (int) getmypid();
        if (!$this->options->disabled) {
            $this->flushAtExit();
        }
    }

    /** What a client leaves behind is sent, like at the end of the process. */
    public function __destruct()
    {
        $this->flush();
    }

    /**
     * A client with a connection of its own, through phpredis or else Predis. It
     * connects at the first flush.
     *
     * @param ?string $url redis://user:password@host:6379/0, rediss:// for TLS, or unix:///path; null for
     *     PROM_STREAM_GATEWAY_REDIS_URL, or redis://localhost:6379
     */
    public static function connect(?string $url = null, ?Options $options = null): self
    {
        $url ??= Options::environment('PROM_STREAM_GATEWAY_REDIS_URL') ?? 'redis://localhost:6379';
        $address = fn () => Connection\Address::parse($url);
        $connection = extension_loaded('redis')
            ? new Connection\PhpRedis($address)
            : new Connection\Predis($address);
        return new self($connection, $options);
    }

    /**
     * A client for the server that a connection of yours is for. Of yours only the
     * address and the login are used: a prefix, a serializer, a transaction or a
     * long timeout of it stays out of the way, and it is never disturbed.
     */
    public static function using(\Redis|\Predis\ClientInterface $redis, ?Options $options = null): self
    {
        $connection = $redis instanceof \Redis
            ? new Connection\PhpRedis(fn () => Connection\Address::ofPhpRedis($redis))
            : new Connection\Predis(fn () => Connection\Address::ofPredis($redis));
        return new self($connection, $options);
    }

    /**
     * Adds to a counter.
     *
     * @param string $name
     * @param array<string, mixed> $labels
     * @param int|float $value
     */
    public function counter($name, $labels = [], $value = 1): void
    {
        $this->record('counter', $name, $labels, $value);
    }

    /**
     * A gauge, to be set, added to, or raised or lowered to a value.
     *
     * @param string $name
     * @param array<string, mixed> $labels
     */
    public function gauge($name, $labels = []): Gauge
    {
        return new Gauge(fn ($operation, $value) => $this->record('gauge', $name, $labels, $value, $operation));
    }

    /**
     * Adds an observation to a histogram. All series of a name should have the same buckets.
     *
     * @param string $name
     * @param int|float $value
     * @param array<string, mixed> $labels
     * @param ?list<int|float> $buckets upper bounds; null for those of describe(), or the default
     */
    public function histogram($name, $value, $labels = [], $buckets = null): void
    {
        $this->record('histogram', $name, $labels, $value, layout: $buckets);
    }

    /**
     * Adds an observation to a summary.
     *
     * @param string $name
     * @param int|float $value
     * @param array<string, mixed> $labels
     * @param ?list<int|float> $quantiles null for those of describe(), or the default
     */
    public function summary($name, $value, $labels = [], $quantiles = null): void
    {
        $this->record('summary', $name, $labels, $value, layout: $quantiles);
    }

    /**
     * Starts to measure time; its stop() adds the seconds to a histogram.
     *
     * @param string $name
     * @param array<string, mixed> $labels
     * @param ?list<int|float> $buckets
     */
    public function timer($name, $labels = [], $buckets = null): Timer
    {
        return new Timer(fn ($seconds, $more) => $this->histogram(
            $name,
            $seconds,
            is_array($labels) && is_array($more) ? $more + $labels : $labels,
            $buckets,
        ));
    }

    /**
     * Measures the time that work takes, whether it returns or throws.
     *
     * @template T
     * @param string $name
     * @param callable(): T $work
     * @param array<string, mixed> $labels
     * @param ?list<int|float> $buckets
     * @return T
     */
    public function time($name, callable $work, $labels = [], $buckets = null): mixed
    {
        $timer = $this->timer($name, $labels, $buckets);
        try {
            return $work();
        } finally {
            $timer->stop();
        }
    }

    /**
     * Says once what a metric is. A unit must be the last word of the name, before `_total`.
     *
     * @param string $name
     * @param ?string $help
     * @param ?string $unit
     * @param ?list<int|float> $buckets
     * @param ?list<int|float> $quantiles
     */
    public function describe($name, $help = null, $unit = null, $buckets = null, $quantiles = null): void
    {
        try {
            $name = Validate::name($name);
            if (isset($this->descriptions[$name]) || count($this->descriptions) < self::MOST_NAMES) {
                $this->descriptions[$name] = Description::of($name, $help, $unit, $buckets, $quantiles);
            }
        } catch (\Throwable $error) {
            $this->losses->say('a description was not taken: ' . self::named($name, $error));
        }
    }

    /**
     * Work with a flush behind it, such as a handler of AWS Lambda.
     *
     * @template T
     * @param callable(mixed...): T $work
     * @return \Closure(mixed...): T
     */
    public function wrap(callable $work): \Closure
    {
        return function (mixed ...$arguments) use ($work): mixed {
            try {
                return $work(...$arguments);
            } finally {
                $this->flush();
            }
        };
    }

    /**
     * Sends what was recorded. Whether it could be is the answer, but samples that
     * could not be sent are gone: they may have been taken, and would count twice.
     */
    public function flush(): bool
    {
        if ($this->process !== getmypid()) {
            $this->forgetParent();
        }
        $samples = $this->takeSamples();
        if ($samples === []) {
            return true;
        }
        try {
            $elements = Payload::elements($samples);
            $this->connection->lpush($this->options->key, $elements, $this->options->timeout);
            $this->flushFailed = false;
        } catch (\Throwable $error) {
            $reason = $error instanceof Refused ? 'redis_error' : 'redis_unreachable';
            $this->losses->add($reason, count($samples), "metrics were not sent: {$error->getMessage()}");
            $this->flushFailed = true;
        }
        return !$this->flushFailed;
    }

    /** Forgets what was recorded and not sent. */
    public function clear(): void
    {
        $this->buffer->clear();
    }

    /**
     * How many samples were dropped so far, by reason: `invalid`: it is no sample;
     * `buffer_full`; `redis_unreachable`: or no answer in time; `redis_error`: an error as the answer.
     *
     * @return array<string, int>
     */
    public function dropped(): array
    {
        return $this->losses->counts();
    }

    /** Why samples were dropped last, in words. */
    public function lastReason(): ?string
    {
        return $this->losses->last();
    }

    /**
     * Empties the buffer. Help and unit go with the first sample of each name: the
     * gateway asks for no more.
     *
     * @return list<string> encoded
     */
    private function takeSamples(): array
    {
        $samples = [];
        $described = [];
        foreach ($this->buffer->takePending() as $series) {
            $isFirst = !isset($described[$series->name]);
            $described[$series->name] = true;
            $description = $isFirst && isset($this->descriptions[$series->name])
                ? $this->descriptions[$series->name]->fields
                : '';
            $from = count($samples);
            $series->take($samples, $description);
            for ($at = count($samples) - 1; $at >= $from; $at--) {
                if (strlen($samples[$at]) > Payload::MOST_BYTES) {
                    array_splice($samples, $at, 1);
                    $this->losses->add('invalid', 1, "a sample was not sent: $series->name: it is too large");
                }
            }
        }
        return $samples;
    }

    private function record(
        string $type,
        mixed $name,
        mixed $labels,
        mixed $value,
        string $operation = 'add',
        mixed $layout = null,
    ): void {
        if ($this->options->disabled) {
            return;
        }
        // What a forked process finds in its buffer is its parent's, who sends it.
        if ($this->process !== getmypid()) {
            $this->forgetParent();
        }
        try {
            $number = is_int($value) ? $value : Validate::number($value);
            if ($type === 'counter' && $number < 0) {
                throw new InvalidSample("expected a counter's value of at least 0, got $number");
            }
            $series = is_string($name) ? $this->buffer->repeated($type, $name, $labels) : null;
            $series ??= $this->series($type, $name, $labels, $layout);
            if (!$this->buffer->takeRoom($series, $operation) && !$this->flushForRoom($series, $operation)) {
                $this->losses->add('buffer_full', 1, 'samples were dropped: the buffer is full and could not be sent');
            } elseif (!$series->add($number, $operation)) {
                throw new InvalidSample("expected a finite total, got $number on top of it");
            }
        } catch (\Throwable $error) {
            $this->losses->add('invalid', 1, 'a sample was not sent: ' . self::named($name, $error));
        }
    }

    /** @throws InvalidSample */
    private function series(string $type, mixed $name, mixed $labels, mixed $layout): Series
    {
        $name = Validate::name($name);
        $reserved = ['histogram' => 'le', 'summary' => 'quantile'][$type] ?? '';
        $texts = Validate::labels(is_array($labels) ? $labels + $this->options->labels : $labels, $reserved);
        $series = $this->buffer->series($type, $name, $texts, $this->layout($type, $name, $layout));
        $this->buffer->remember($type, $labels, $series);
        return $series;
    }

    /**
     * Buckets or quantiles. The first ones of a name hold, as they do in the gateway.
     *
     * @return list<int|float>
     */
    private function layout(string $type, string $name, mixed $given): array
    {
        if ($type === 'counter' || $type === 'gauge') {
            return [];
        }
        $key = "$type $name";
        if (isset($this->layouts[$key])) {
            return $this->layouts[$key];
        }
        $description = $this->descriptions[$name] ?? null;
        $layout = $type === 'histogram'
            ? Validate::buckets($given ?? $description?->buckets ?? $this->options->buckets)
            : Validate::quantiles($given ?? $description?->quantiles ?? $this->options->quantiles);
        if (count($this->layouts) < self::MOST_NAMES) {
            $this->layouts[$key] = $layout;
        }
        return $layout;
    }

    /**
     * A full buffer is flushed, but once only where that fails: a server that is away
     * must not hold the work up again for each thousand series of it.
     */
    private function flushForRoom(Series $series, string $operation): bool
    {
        if ($this->flushFailed || !$this->options->autoFlush) {
            return false;
        }
        $this->flush();
        return $this->buffer->takeRoom($series, $operation);
    }

    private function forgetParent(): void
    {
        $this->process = (int) getmypid();
        $this->buffer->clear();
    }

    /** After what others have registered for the end, which may record something yet. */
    private function flushAtExit(): void
    {
        $self = \WeakReference::create($this);
        register_shutdown_function(static function () use ($self): void {
            register_shutdown_function(static fn () => $self->get()?->flush());
        });
    }

    private static function named(mixed $name, \Throwable $error): string
    {
        return is_string($name) && preg_match('/^\P{C}{1,100}$/Du', $name) === 1
            ? "$name: {$error->getMessage()}"
            : $error->getMessage();
    }
}
