<?php

declare(strict_types=1);

namespace PromStreamGateway;

/** What was recorded can't be a sample. Never leaves the client. */
final class InvalidSample extends \InvalidArgumentException
{
}
