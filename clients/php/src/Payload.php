<?php

declare(strict_types=1);

namespace PromStreamGateway;

use function count;
use function is_int;
use function json_encode;
use function strlen;

/** Samples as elements of the queue. */
final class Payload
{
    /** Of a sample. */
    public const MOST_BYTES = 32000;
    /** Of an array: neither Redis nor the gateway should have to hold much at once. */
    private const MOST_ARRAY_BYTES = 65536;
    private const JSON = JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES
        | JSON_UNESCAPED_UNICODE;

    public static function json(mixed $value): string
    {
        return is_int($value) ? (string) $value : json_encode($value, self::JSON);
    }

    /**
     * Samples are gathered in arrays, as few as hold them, in their order: an element
     * costs Redis more than a sample does. One that is alone is an element itself.
     *
     * @param list<string> $samples encoded
     * @return list<string>
     */
    public static function elements(array $samples): array
    {
        $elements = [];
        $array = [];
        $bytes = 1;
        foreach ($samples as $sample) {
            // Before each sample is a bracket or a comma, and behind the last one a bracket.
            if ($array !== [] && $bytes + strlen($sample) + 1 > self::MOST_ARRAY_BYTES) {
                $elements[] = self::element($array);
                $array = [];
                $bytes = 1;
            }
            $array[] = $sample;
            $bytes += strlen($sample) + 1;
        }
        if ($array !== []) {
            $elements[] = self::element($array);
        }
        return $elements;
    }

    /** @param non-empty-list<string> $samples */
    private static function element(array $samples): string
    {
        return count($samples) === 1 ? $samples[0] : '[' . implode(',', $samples) . ']';
    }
}
