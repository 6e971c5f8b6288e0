<?php

declare(strict_types=1);

namespace PromStreamGateway;

/** Redis answered, but with an error. */
final class Refused extends \RuntimeException
{
}
