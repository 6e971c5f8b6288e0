<?php

declare(strict_types=1);

namespace PromStreamGateway\Series;

use PromStreamGateway\Payload;

/** One series, and what has been recorded of it since it was sent last. */
abstract class Series
{
    /** Whether there is something to send. */
    public bool $isPending = false;

    /** What is the same in each sample of it, encoded once. */
    private readonly string $head;

    /**
     * @param array<string, string> $labels
     * @param array<string, mixed> $layout further fields that stay
     */
    public function __construct(public readonly string $name, string $type, array $labels, array $layout = [])
    {
        $fields = ['name' => $name, 'type' => $type] + ($labels === [] ? [] : ['labels' => $labels]) + $layout;
        $this->head = substr(Payload::json($fields), 0, -1);
    }

    /** Adds a number; false where the total would leave the range of numbers. */
    abstract public function add(int|float $number, string $operation): bool;

    /** Whether adding would make more to send, or only change what is to be sent. */
    public function wouldGrow(string $operation): bool
    {
        return false;
    }

    /**
     * Adds samples with what was recorded, encoded; after that there is nothing to send.
     *
     * @param list<string> $samples
     * @param string $description fields of the first sample, each with a comma before it
     */
    public function take(array &$samples, string $description): void
    {
        $this->isPending = false;
        foreach ($this->takeFields() as $fields) {
            $samples[] = $this->head . $description . $fields . '}';
            $description = '';
        }
    }

    /**
     * What tells one sample from the other, each field with a comma before it.
     *
     * @return list<string>
     */
    abstract protected function takeFields(): array;
}
