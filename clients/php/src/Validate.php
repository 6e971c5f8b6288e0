<?php

declare(strict_types=1);

namespace PromStreamGateway;

use function count;
use function is_array;
use function is_bool;
use function is_finite;
use function is_float;
use function is_int;
use function is_string;
use function json_encode;

/** What the gateway would reject is found here, where the caller can be named. */
final class Validate
{
    private const MOST_LABEL_NAMES = 1000;
    /** Names of metrics: any text in UTF-8 with something else in it than white space. */
    private const NOT_BLANK = '/[^\p{Z}\t-\r\x{85}]/u';
    /** Names of labels: any text in UTF-8, but for those that are Prometheus' own. */
    private const NOT_RESERVED = '/^(?!__)./su';

    /** @var array<string, true> names of labels that are known to be right */
    private static array $labelNames = [];

    /** @throws InvalidSample */
    public static function name(mixed $name): string
    {
        if (!is_string($name) || preg_match(self::NOT_BLANK, $name) !== 1) {
            throw new InvalidSample('expected a metric name, got ' . self::shown($name));
        }
        return $name;
    }

    /** A number; PDO and forms give numbers as strings. */
    public static function number(mixed $value): int|float
    {
        if (is_string($value) && is_numeric($value)) {
            $value = +$value;
        }
        if (is_int($value) || (is_float($value) && is_finite($value))) {
            return $value;
        }
        throw new InvalidSample('expected a finite number, got ' . self::shown($value));
    }

    /**
     * Labels by name, in order, as texts; empty ones are none.
     *
     * @return array<string, string>
     */
    public static function labels(mixed $labels, string $reserved = ''): array
    {
        if (!is_array($labels)) {
            throw new InvalidSample('expected labels by name, got ' . self::shown($labels));
        }
        $texts = [];
        foreach ($labels as $name => $value) {
            if (!isset(self::$labelNames[$name])) {
                self::labelName($name);
            }
            if ($name === $reserved) {
                throw new InvalidSample("expected a label name, got \"$name\", which the buckets or quantiles have");
            }
            $text = is_string($value) ? $value : self::text($value);
            if ($text !== '') {
                $texts[$name] = $text;
            }
        }
        ksort($texts, SORT_STRING);
        return $texts;
    }

    /**
     * Upper bounds of buckets, without +Inf, which every histogram has.
     *
     * @return non-empty-list<int|float>
     */
    public static function buckets(mixed $buckets): array
    {
        $bounds = is_array($buckets) ? array_values($buckets) : [];
        if (end($bounds) === INF) {
            array_pop($bounds);
        }
        $bounds = array_map(self::number(...), $bounds);
        for ($i = 1; $i < count($bounds); $i++) {
            if ($bounds[$i] <= $bounds[$i - 1]) {
                throw new InvalidSample("expected increasing buckets, got {$bounds[$i]} after {$bounds[$i - 1]}");
            }
        }
        return $bounds ?: throw new InvalidSample('expected a list of buckets, got ' . self::shown($buckets));
    }

    /** @return list<int|float> */
    public static function quantiles(mixed $quantiles): array
    {
        if (!is_array($quantiles)) {
            throw new InvalidSample('expected a list of quantiles, got ' . self::shown($quantiles));
        }
        foreach ($quantiles as $quantile) {
            $number = self::number($quantile);
            if ($number < 0 || $number > 1) {
                throw new InvalidSample("expected a quantile from 0 to 1, got $number");
            }
        }
        return array_map(self::number(...), array_values($quantiles));
    }

    /** A number is what an element of a list has for its name. */
    private static function labelName(mixed $name): void
    {
        if (!is_string($name) || preg_match(self::NOT_RESERVED, $name) !== 1) {
            throw new InvalidSample('expected a label name, got ' . self::shown($name));
        }
        if (count(self::$labelNames) < self::MOST_LABEL_NAMES) {
            self::$labelNames[$name] = true;
        }
    }

    private static function text(mixed $value): string
    {
        return match (true) {
            $value === null => '',
            is_bool($value) => $value ? 'true' : 'false',
            is_int($value) => (string) $value,
            is_float($value) && is_finite($value) => (string) json_encode($value),
            $value instanceof \BackedEnum => (string) $value->value,
            $value instanceof \Stringable => (string) $value,
            default => throw new InvalidSample('expected the text of a label, got ' . self::shown($value)),
        };
    }

    /** A value in a message: short, and on one line. */
    private static function shown(mixed $value): string
    {
        return match (true) {
            is_string($value) => '"' . substr((string) preg_replace('/[^\x20-\x7e]/', '?', $value), 0, 100) . '"',
            is_float($value), is_int($value) => (string) $value,
            default => get_debug_type($value),
        };
    }
}
