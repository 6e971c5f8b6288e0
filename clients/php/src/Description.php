<?php

declare(strict_types=1);

namespace PromStreamGateway;

/** What holds for all series of a name. */
final class Description
{
    /** Help and unit as fields of a sample, each with a comma before it. */
    public readonly string $fields;

    /**
     * @param ?list<int|float> $buckets
     * @param ?list<int|float> $quantiles
     */
    public function __construct(
        ?string $help,
        ?string $unit,
        public readonly ?array $buckets,
        public readonly ?array $quantiles,
    ) {
        $fields = array_filter(['help' => $help, 'unit' => $unit], is_string(...));
        $this->fields = $fields === [] ? '' : ',' . substr(Payload::json($fields), 1, -1);
    }

    /** @throws InvalidSample */
    public static function of(string $name, mixed $help, mixed $unit, mixed $buckets, mixed $quantiles): self
    {
        foreach (['help' => $help, 'unit' => $unit] as $what => $text) {
            if ($text !== null && !is_string($text)) {
                throw new InvalidSample("expected a text as the $what, got " . get_debug_type($text));
            }
        }
        // The gateway would reject each sample of the name.
        if ($unit !== null && !str_ends_with(preg_replace('/_total$/D', '', $name), "_$unit")) {
            throw new InvalidSample("expected a name that ends in the unit, _$unit");
        }
        return new self(
            $help,
            $unit,
            $buckets === null ? null : Validate::buckets($buckets),
            $quantiles === null ? null : Validate::quantiles($quantiles),
        );
    }
}
