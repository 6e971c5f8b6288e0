<?php

// A function on AWS Lambda, with Bref's runtime for functions. serverless.yml:
//
//   provider:
//     environment:
//       PROM_STREAM_GATEWAY_REDIS_URL: rediss://my-cache.example.com:6379
//   functions:
//     resize:
//       handler: bref.php
//       runtime: php-82

declare(strict_types=1);

use PromStreamGateway\Client;
use PromStreamGateway\Options;

require_once __DIR__ . '/vendor/autoload.php';

// Outside of the handler, so that the next invocation finds the connection.
$metrics = Client::connect(options: new Options(labels: ['function' => 'resize']));

// wrap() flushes before the answer goes out: after that, Lambda freezes the process.
return $metrics->wrap(function (mixed $event) use ($metrics): array {
    $timer = $metrics->timer('resize_duration_seconds');
    try {
        $metrics->counter('resizes_total', ['format' => $event['format'] ?? 'unknown']);
        return ['status' => 'done'];
    } finally {
        $timer->stop();
    }
});
