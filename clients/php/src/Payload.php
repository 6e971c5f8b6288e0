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
    /** Elements, and so samples, stay below 32 KB. */
    public const MOST_BYTES = 32000;
    private const MOST_SINGLE_SAMPLES = 100;
    private const JSON = JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES
        | JSON_UNESCAPED_UNICODE;

    public static function json(mixed $value): string
    {
        return is_int($value) ? (string) $value : json_encode($value, self::JSON);
    }

    /**
     * A few samples are an element each. More are gathered in arrays, since a server
     * may limit the arguments of a command, as ElastiCache Serverless does.
     *
     * @param list<string> $samples encoded
     * @return list<string>
     */
    public static function elements(array $samples): array
    {
        if (count($samples) <= self::MOST_SINGLE_SAMPLES) {
            return $samples;
        }
        $elements = [];
        $array = '';
        foreach ($samples as $sample) {
            if ($array !== '' && strlen($array) + strlen($sample) + 3 > self::MOST_BYTES) {
                $elements[] = "[$array]";
                $array = '';
            }
            $array .= $array === '' ? $sample : ",$sample";
        }
        $elements[] = "[$array]";
        return $elements;
    }
}
