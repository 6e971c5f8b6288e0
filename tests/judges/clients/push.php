<?php
// php-redis: plain, in a pipeline, in a transaction, persistent.
$port = (int) $argv[1];
$queue = 'prom-stream-gateway:metric-queue';
$sample = fn (string $way) => '{"name":"client_total","value":1,"labels":{"way":"' . $way . '"}}';

$redis = new Redis();
$redis->connect('127.0.0.1', $port, 2.0);
$redis->lPush($queue, $sample('php-redis')) !== false or exit('lPush');
$redis->rPush($queue, $sample('php-redis'), $sample('php-redis')) !== false or exit('rPush');
foreach ([[Redis::PIPELINE, 'php-redis pipeline'], [Redis::MULTI, 'php-redis transaction']] as [$mode, $way]) {
    $batch = $redis->multi($mode);
    for ($i = 0; $i < 3; $i++) {
        $batch->lPush($queue, $sample($way));
    }
    count($batch->exec()) === 3 or exit($way);
}
$redis->close();

$persistent = new Redis();
$persistent->pconnect('127.0.0.1', $port, 2.0);
$persistent->select(0) or exit('select');
for ($i = 0; $i < 3; $i++) {
    $persistent->lPush($queue, $sample('php-redis persistent'));
}
