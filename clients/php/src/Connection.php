<?php

declare(strict_types=1);

namespace PromStreamGateway;

/**
 * What a client needs of Redis. Connection\PhpRedis and Connection\Predis are
 * the two that come with the package; anything else that has LPUSH will do.
 */
interface Connection
{
    /**
     * Pushes all elements with one LPUSH, once, within so many seconds.
     *
     * @param list<string> $elements
     * @throws Refused where Redis answers with an error
     * @throws \Throwable where it does not answer
     */
    public function lpush(string $key, array $elements, float $timeout): void;
}
