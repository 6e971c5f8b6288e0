<?php

// The least of promphp/prometheus_client_php that its storage adapters are made
// of, for where the package itself is not installed.

declare(strict_types=1);

namespace Prometheus\Storage {
    interface Adapter
    {
        public const COMMAND_INCREMENT_INTEGER = 1;
        public const COMMAND_INCREMENT_FLOAT = 2;
        public const COMMAND_SET = 3;

        public function collect(): array;

        public function updateSummary(array $data): void;

        public function updateHistogram(array $data): void;

        public function updateGauge(array $data): void;

        public function updateCounter(array $data): void;

        public function wipeStorage(): void;
    }
}

namespace Prometheus\Exception {
    class StorageException extends \Exception
    {
    }
}

namespace Prometheus {
    class Sample
    {
        public function __construct(private readonly array $data)
        {
        }

        public function getName(): string
        {
            return $this->data['name'];
        }

        public function getLabelNames(): array
        {
            return $this->data['labelNames'];
        }

        public function getLabelValues(): array
        {
            return $this->data['labelValues'];
        }

        public function getValue(): string
        {
            return (string) $this->data['value'];
        }
    }

    class MetricFamilySamples
    {
        public function __construct(private readonly array $data)
        {
        }

        public function getName(): string
        {
            return $this->data['name'];
        }

        public function getType(): string
        {
            return $this->data['type'];
        }

        public function getHelp(): string
        {
            return $this->data['help'];
        }

        public function getLabelNames(): array
        {
            return $this->data['labelNames'];
        }

        public function getSamples(): array
        {
            return array_map(fn (array $sample) => new Sample($sample), $this->data['samples']);
        }
    }
}
