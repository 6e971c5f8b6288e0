<?php
// One way in which a PHP program can tell its measurements, timed: for each line
// on standard input one invocation, its wall and CPU nanoseconds on standard
// output. Arguments: way, file of samples, port of Redis, port of Pushgateway.
declare(strict_types=1);

[, $way, $file, $redisPort, $gatewayPort] = $argv;
$samples = json_decode(file_get_contents($file), true, flags: JSON_THROW_ON_ERROR);
const QUEUE = 'prom-stream-gateway:metric-queue';

function connected(string $port): Redis
{
    $redis = new Redis();
    $redis->connect('127.0.0.1', (int) $port, 0.2);
    return $redis;
}

/** Pushes each sample by itself. */
function pushEach(array $samples, string $port): void
{
    $redis = connected($port);
    foreach ($samples as $sample) {
        $redis->lPush(QUEUE, json_encode($sample, JSON_THROW_ON_ERROR));
    }
}

/** Pushes all samples by one command. */
function pushAll(array $samples, Redis $redis): void
{
    $encoded = array_map(fn ($sample) => json_encode($sample, JSON_THROW_ON_ERROR), $samples);
    $redis->lPush(QUEUE, ...$encoded);
}

/** Aggregates in memory, as PromPHP does it, and renders the text. */
function rendered(array $samples): string
{
    $registry = new Prometheus\CollectorRegistry(new Prometheus\Storage\InMemory(), false);
    foreach ($samples as $sample) {
        $names = array_keys($sample['labels']);
        $values = array_values($sample['labels']);
        [$name, $help, $value] = [$sample['name'], $sample['help'], $sample['value']];
        match ($sample['type']) {
            'counter' => $registry->getOrRegisterCounter('', $name, $help, $names)
                ->incBy($value, $values),
            'gauge' => $registry->getOrRegisterGauge('', $name, $help, $names)
                ->set($value, $values),
            'histogram' => $registry
                ->getOrRegisterHistogram('', $name, $help, $names, $sample['buckets'])
                ->observe($value, $values),
        };
    }
    return (new Prometheus\RenderTextFormat())->render($registry->getMetricFamilySamples());
}

/** Sends a text to the Pushgateway. */
function post(string $text, string $port): void
{
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => "Content-Type: text/plain; version=0.0.4\r\nConnection: close",
        'content' => $text,
    ]]);
    $answer = file_get_contents("http://127.0.0.1:$port/metrics/job/php", false, $context);
    if ($answer === false || !str_contains($http_response_header[0], ' 200 ')) {
        throw new RuntimeException('the Pushgateway refuses');
    }
}

/** User and system time of this process. */
function cpuNanoseconds(): int
{
    $usage = getrusage();
    $seconds = $usage['ru_utime.tv_sec'] + $usage['ru_stime.tv_sec'];
    return $seconds * 1_000_000_000
        + ($usage['ru_utime.tv_usec'] + $usage['ru_stime.tv_usec']) * 1000;
}

$autoload = getenv('PROMPHP_AUTOLOAD');
if ($autoload !== false && $autoload !== '') {
    require $autoload;
}
$text = getenv('TEXT_FILE') ? file_get_contents(getenv('TEXT_FILE')) : '';
$invoke = match ($way) {
    'push-each' => fn () => pushEach($samples, $redisPort),
    'push-all' => fn () => pushAll($samples, connected($redisPort)),
    'push-all-kept' => function () use ($samples, $redisPort) {
        static $redis = null;
        $redis ??= connected($redisPort);
        pushAll($samples, $redis);
    },
    'render' => fn () => rendered($samples),
    'render-post' => fn () => post(rendered($samples), $gatewayPort),
    'post' => fn () => post($text, $gatewayPort),
};
while (fgets(STDIN) !== false) {
    $cpu = cpuNanoseconds();
    $wall = hrtime(true);
    $invoke();
    $wall = hrtime(true) - $wall;
    $cpu = cpuNanoseconds() - $cpu; // before echo, which writes each argument by itself
    echo "$wall $cpu\n";
}
