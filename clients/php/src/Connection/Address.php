<?php

declare(strict_types=1);

namespace PromStreamGateway\Connection;

/** Where a Redis server is, and how to log in. */
final class Address
{
    /** @param array<string, mixed> $tlsOptions of PHP's SSL context, such as `cafile` */
    public function __construct(
        public readonly string $host = 'localhost',
        public readonly int $port = 6379,
        public readonly ?string $user = null,
        #[\SensitiveParameter]
        public readonly ?string $password = null,
        public readonly int $database = 0,
        public readonly bool $tls = false,
        public readonly array $tlsOptions = [],
        /** Path of a Unix socket, instead of host and port. */
        public readonly ?string $socket = null,
    ) {
    }

    /** A URL: redis://user:password@host:6379/0, rediss://… for TLS, or unix:///path. */
    public static function parse(
        #[\SensitiveParameter]
        string $url,
    ): self {
        if (str_starts_with($url, 'unix:///')) {
            return new self(socket: substr($url, strlen('unix://')));
        }
        $parts = parse_url($url) ?: [];
        $scheme = $parts['scheme'] ?? '';
        // The text itself is not shown: it may have a password in it.
        if (!in_array($scheme, ['redis', 'rediss', 'tcp', 'tls'], true) || !isset($parts['host'])) {
            throw new \InvalidArgumentException('expected a URL like redis://host:6379 or rediss://host:6379');
        }
        return new self(
            host: trim($parts['host'], '[]'),
            port: $parts['port'] ?? 6379,
            user: self::given(rawurldecode($parts['user'] ?? '')),
            password: self::given(rawurldecode($parts['pass'] ?? '')),
            database: (int) ltrim($parts['path'] ?? '', '/'),
            tls: in_array($scheme, ['rediss', 'tls'], true),
        );
    }

    /**
     * Settings as in Laravel's config/database.php, or parameters of Predis.
     *
     * @param array<string, mixed> $settings
     */
    public static function ofSettings(
        #[\SensitiveParameter]
        array $settings,
    ): self {
        $tlsOptions = $settings['ssl'] ?? $settings['context']['stream'] ?? $settings['context'] ?? [];
        if (!empty($settings['url'])) {
            $url = self::parse($settings['url']);
            return new self(
                $url->host,
                $url->port,
                $url->user,
                $url->password,
                $url->database,
                $url->tls,
                $tlsOptions,
                $url->socket,
            );
        }
        $host = (string) ($settings['host'] ?? 'localhost');
        $path = $settings['path'] ?? (str_starts_with($host, '/') ? $host : null);
        return new self(
            host: trim((string) preg_replace('~^(tls|rediss|tcp)://~', '', $host), '[]'),
            port: (int) ($settings['port'] ?? 6379),
            user: self::given($settings['username'] ?? null),
            password: self::given($settings['password'] ?? null),
            database: (int) ($settings['database'] ?? 0),
            tls: in_array($settings['scheme'] ?? '', ['tls', 'rediss'], true)
                || preg_match('~^(tls|rediss)://~', $host) === 1,
            tlsOptions: $tlsOptions,
            socket: $path,
        );
    }

    /** Of a connection of yours, which has to be open. */
    public static function ofPhpRedis(\Redis $redis): self
    {
        $host = $redis->getHost();
        if (!is_string($host)) {
            throw new \RuntimeException('expected a connected Redis');
        }
        $login = array_values((array) ($redis->getAuth() ?: []));
        return self::ofSettings([
            'host' => $host,
            'port' => $redis->getPort(),
            'username' => count($login) > 1 ? $login[0] : null,
            'password' => end($login) ?: null,
            'database' => $redis->getDbNum(),
        ]);
    }

    public static function ofPredis(\Predis\ClientInterface $client): self
    {
        $connection = $client->getConnection();
        if (!$connection instanceof \Predis\Connection\NodeConnectionInterface) {
            throw new \RuntimeException('expected a Predis client of a single server');
        }
        return self::ofSettings($connection->getParameters()->toArray());
    }

    private static function given(
        #[\SensitiveParameter]
        mixed $text,
    ): ?string {
        return is_string($text) && $text !== '' ? $text : null;
    }
}
