<?php

declare(strict_types=1);

namespace PromStreamGateway\Testing;

use PromStreamGateway\Connection;

/** Keeps what is pushed. */
final class MemoryConnection implements Connection
{
    /** @var list<list<string>> the elements of each push */
    public array $pushes = [];
    /** @var list<array<string, mixed>> */
    public array $samples = [];

    public function lpush(string $key, array $elements, float $timeout): void
    {
        $this->pushes[] = $elements;
        foreach ($elements as $element) {
            $decoded = json_decode($element, true, flags: JSON_THROW_ON_ERROR);
            array_push($this->samples, ...(array_is_list($decoded) ? $decoded : [$decoded]));
        }
    }
}
