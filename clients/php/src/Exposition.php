<?php

declare(strict_types=1);

namespace PromStreamGateway;

/** Reads Prometheus' text format, as the gateway writes it. */
final class Exposition
{
    private const SAMPLE = '/^(?<name>[^{\s]+)(?:\{(?<labels>(?:[^"}]|"(?:[^"\\\\]|\\\\.)*")*)\})?\s+(?<value>\S+)/';
    private const LABEL = '/([^=,\s]+)="((?:[^"\\\\]|\\\\.)*)"/';

    /**
     * Families by name, each in the form that PromPHP's MetricFamilySamples is made of.
     *
     * @return array<string, array<string, mixed>>
     */
    public static function parse(string $text): array
    {
        $families = [];
        $current = null;
        foreach (explode("\n", $text) as $line) {
            if (preg_match('/^# (HELP|TYPE) (\S+) ?(.*)$/', $line, $comment) === 1) {
                [, $what, $current, $rest] = $comment;
                $families[$current] ??= self::family($current);
                $families[$current][strtolower($what)] = $what === 'HELP' ? self::unescape($rest) : $rest;
            } elseif ($line !== '' && $line[0] !== '#' && preg_match(self::SAMPLE, $line, $sample) === 1) {
                if ($current === null || !self::belongs($sample['name'], $current)) {
                    $current = $sample['name'];
                    $families[$current] ??= self::family($current);
                }
                $families[$current]['samples'][] = self::sample($sample['name'], $sample['labels'], $sample['value']);
            }
        }
        return $families;
    }

    /** The samples of a family follow its comments, and some have a name of their own. */
    private static function belongs(string $sample, string $family): bool
    {
        return in_array($sample, [$family, "{$family}_bucket", "{$family}_sum", "{$family}_count"], true);
    }

    /** @return array<string, mixed> */
    private static function family(string $name): array
    {
        return ['name' => $name, 'type' => 'untyped', 'help' => '', 'labelNames' => [], 'samples' => []];
    }

    /** @return array<string, mixed> */
    private static function sample(string $name, string $labels, string $value): array
    {
        preg_match_all(self::LABEL, $labels, $pairs);
        return [
            'name' => $name,
            'labelNames' => $pairs[1],
            'labelValues' => array_map(self::unescape(...), $pairs[2]),
            // As it stands: PHP would write infinity in another way.
            'value' => $value,
            'timestamp' => null,
        ];
    }

    private static function unescape(string $text): string
    {
        return strtr($text, ['\\\\' => '\\', '\\"' => '"', '\\n' => "\n"]);
    }
}
