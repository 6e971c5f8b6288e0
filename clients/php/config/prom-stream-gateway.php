<?php

return [

    // false records and sends nothing, as PROM_STREAM_GATEWAY_DISABLED=1 does.
    'enabled' => ! env('PROM_STREAM_GATEWAY_DISABLED', false),

    // Where to push: redis://user:password@host:6379/0, or rediss:// for TLS. If
    // null, the server of a connection in config/database.php, without its prefix.
    'url' => env('PROM_STREAM_GATEWAY_REDIS_URL'),
    'connection' => env('PROM_STREAM_GATEWAY_CONNECTION', 'default'),

    // The list that the gateway reads, its setting Redis.MetricQueueKey.
    'key' => env('PROM_STREAM_GATEWAY_KEY', 'prom-stream-gateway:metric-queue'),

    // How many partitions the queue has, the setting Redis.MetricQueuePartitions.
    'partitions' => (int) env('PROM_STREAM_GATEWAY_PARTITIONS', 1),

    // On each sample, such as ['app' => 'shop'].
    'labels' => [],

    // Upper bounds of histograms that name none, or null for the usual ones.
    'buckets' => null,

    // Seconds that a flush takes at most, and series that are buffered at most.
    'timeout' => 0.2,
    'max_series' => 1000,

    // For PromPHP's CollectorRegistry::getMetricFamilySamples(), such as
    // http://gateway:9091/metrics?name[]=jobs_total. If null, it finds nothing.
    'metrics_url' => env('PROM_STREAM_GATEWAY_METRICS_URL'),

];
