<?php

declare(strict_types=1);

namespace PromStreamGateway\Tests;

use PHPUnit\Framework\TestCase;
use PromStreamGateway\Client;
use PromStreamGateway\Connection\Address;
use PromStreamGateway\Connection\Kept;
use PromStreamGateway\Connection\PhpRedis;
use PromStreamGateway\Connection\Predis;
use PromStreamGateway\Options;
use PromStreamGateway\Tests\Support\Folder;
use PromStreamGateway\Tests\Support\Peer;
use PromStreamGateway\Tests\Support\Process;
use PromStreamGateway\Tests\Support\RedisServer;

/** Through phpredis and through Predis: to a Redis that is there, slow, away or hostile. */
final class ConnectionTest extends TestCase
{
    private const PROMISED_SECONDS = 0.3;
    /** A busy machine may take longer: of several flushes one keeps to it. */
    private const TRIES = 8;

    /** @return iterable<string, array{class-string}> */
    public static function libraries(): iterable
    {
        yield 'phpredis' => [PhpRedis::class];
        yield 'predis' => [Predis::class];
    }

    protected function setUp(): void
    {
        if (!RedisServer::isThere()) {
            self::markTestSkipped('needs redis-server');
        }
    }

    /** @param class-string $library */
    private function client(string $library, string|Address $address): Client
    {
        return new Client($this->connection($library, $address), new Options(log: fn () => null));
    }

    /** @param class-string $library */
    private function connection(string $library, string|Address $address): Kept
    {
        if ($library === PhpRedis::class && !extension_loaded('redis')) {
            self::markTestSkipped('needs the redis extension');
        }
        if ($library === Predis::class && !class_exists(\Predis\Client::class)) {
            self::markTestSkipped('needs Predis');
        }
        $parsed = fn () => is_string($address) ? Address::parse($address) : $address;
        return new $library($parsed);
    }

    /** As long as it takes until a connection is asked for an answer before it is used. */
    private function rest(Kept $connection): void
    {
        $answered = new \ReflectionProperty(Kept::class, 'answered');
        $answered->setValue($connection, $answered->getValue($connection) - 2);
    }

    /** @dataProvider libraries */
    public function testSamplesArriveInOrderOnOneConnection(string $library): void
    {
        $redis = new RedisServer();
        $client = $this->client($library, $redis->url());
        for ($i = 0; $i < 3; $i++) {
            $client->counter('x_total', ['number' => $i]);
            $client->gauge('g')->set($i);
            self::assertTrue($client->flush(), (string) $client->lastReason());
        }
        self::assertSame(['x_total', 'g', 'x_total', 'g', 'x_total', 'g'], array_column($redis->samples(), 'name'));
        self::assertSame(3, $redis->connections(), 'one of the client, two of this test');
    }

    /** @dataProvider libraries */
    public function testItLogsInAndSelectsTheDatabase(string $library): void
    {
        $redis = new RedisServer();
        $redis->command('ACL', 'SETUSER', 'app', 'on', '>p@ss/word', '~*', '+lpush', '+select');
        $connection = $this->connection($library, "redis://app:p%40ss%2Fword@127.0.0.1:$redis->port/3");
        $client = new Client($connection, new Options(log: fn () => null));
        for ($i = 0; $i < 2; $i++) {
            $client->counter('x_total');
            self::assertTrue($client->flush(), (string) $client->lastReason());
            $this->rest($connection);
        }
        self::assertSame(3, $redis->connections(), 'it is not allowed to PING, and keeps its connection all the same');
        self::assertStringContainsString('db3:keys=1', $redis->command('INFO', 'keyspace'));
        $wrong = $this->client($library, "redis://app:wrong@127.0.0.1:$redis->port");
        $wrong->counter('x_total');
        self::assertFalse($wrong->flush());
        self::assertSame(['redis_error' => 1], $wrong->dropped());
        self::assertStringContainsString('WRONGPASS', (string) $wrong->lastReason());
        self::assertStringNotContainsString('wrong@', (string) $wrong->lastReason());
    }

    /** @dataProvider libraries */
    public function testThroughTls(string $library): void
    {
        $folder = new Folder();
        [$certificateFile, $keyFile] = [$folder->file('cert.pem'), $folder->file('key.pem')];
        $key = openssl_pkey_new(['private_key_type' => OPENSSL_KEYTYPE_EC, 'curve_name' => 'prime256v1']);
        $request = openssl_csr_new(['commonName' => 'localhost'], $key);
        openssl_x509_export_to_file(openssl_csr_sign($request, null, $key, 1), $certificateFile);
        openssl_pkey_export_to_file($key, $keyFile);
        $port = Process::freePort();
        $redis = new RedisServer([
            '--tls-port', (string) $port, '--tls-auth-clients', 'no', '--tls-cert-file', $certificateFile,
            '--tls-key-file', $keyFile, '--tls-ca-cert-file', $certificateFile,
        ]);
        // First, since Predis 1 leaves what it trusts in PHP's default context.
        $distrusting = $this->client($library, "rediss://localhost:$port");
        $distrusting->counter('x_total');
        self::assertFalse($distrusting->flush());
        $trusting = new Address('localhost', $port, tls: true, tlsOptions: ['cafile' => $certificateFile]);
        $client = $this->client($library, $trusting);
        for ($i = 0; $i < 2; $i++) {
            $client->counter('x_total');
            self::assertTrue($client->flush(), (string) $client->lastReason());
        }
        self::assertCount(2, $redis->samples());
    }

    /** @dataProvider libraries */
    public function testAConnectionThatWasCutIsReplaced(string $library): void
    {
        $redis = new RedisServer();
        $client = $this->client($library, $redis->url());
        for ($i = 0; $i < 4; $i++) {
            $client->counter('x_total');
            self::assertTrue($client->flush(), (string) $client->lastReason());
            $redis->cutAll();
        }
        self::assertCount(4, $redis->samples());
        self::assertSame([], $client->dropped());
    }

    /** As behind a firewall that has forgotten it. @dataProvider libraries */
    public function testAConnectionThatWentDumbIsReplaced(string $library): void
    {
        $peer = new Peer('mute-later');
        $connection = $this->connection($library, $peer->url());
        $client = new Client($connection, new Options(log: fn () => null));
        for ($i = 0; $i < 3; $i++) {
            $client->counter('x_total');
            self::assertTrue($client->flush(), (string) $client->lastReason());
            $this->rest($connection);
        }
    }

    /** So that a flush is one command and one answer. @dataProvider libraries */
    public function testOneThatHasJustAnsweredIsNotAsked(string $library): void
    {
        $redis = new RedisServer();
        $connection = $this->connection($library, $redis->url());
        $client = new Client($connection, new Options(log: fn () => null));
        $pings = fn () => preg_match('/cmdstat_ping:calls=(\d+)/', $redis->command('INFO', 'commandstats'), $calls)
            ? (int) $calls[1]
            : 0;
        for ($i = 0; $i < self::TRIES; $i++) {
            $client->counter('x_total');
            self::assertTrue($client->flush(), (string) $client->lastReason());
        }
        self::assertLessThan(self::TRIES - 1, $pings(), 'a busy machine may take longer than a second for some');
        $before = $pings();
        $this->rest($connection);
        $client->counter('x_total');
        self::assertTrue($client->flush(), (string) $client->lastReason());
        self::assertSame($before + 1, $pings());
    }

    /** It would be read as the answer to what is asked next. @dataProvider libraries */
    public function testAnAnswerThatComesTooLateIsNeverRead(string $library): void
    {
        $redis = new RedisServer();
        $client = $this->client($library, $redis->url());
        $client->counter('x_total');
        self::assertTrue($client->flush());
        $redis->command('CLIENT', 'PAUSE', '60000', 'WRITE');
        $client->counter('x_total');
        self::assertFalse($client->flush());
        $redis->command('CLIENT', 'UNPAUSE');
        $client->counter('x_total');
        self::assertTrue($client->flush(), (string) $client->lastReason());
        self::assertSame(5, $redis->connections(), 'two of the client, three of this test');
    }

    /** @dataProvider libraries */
    public function testAServerThatComesBackIsFoundAgain(string $library): void
    {
        $redis = new RedisServer();
        $port = $redis->port;
        $client = $this->client($library, $redis->url());
        $client->counter('x_total');
        self::assertTrue($client->flush());
        unset($redis);
        $client->counter('x_total');
        self::assertFalse($client->flush());
        $redis = new RedisServer(['--port', (string) $port]);
        $client->counter('x_total');
        self::assertTrue($client->flush(), (string) $client->lastReason());
        self::assertSame(['redis_unreachable' => 1], $client->dropped());
    }

    /** @dataProvider libraries */
    public function testAForkedProcessConnectsAnew(string $library): void
    {
        if (!function_exists('pcntl_fork')) {
            self::markTestSkipped('needs the pcntl extension');
        }
        $redis = new RedisServer();
        $client = $this->client($library, $redis->url());
        $client->counter('parent_total');
        $client->flush();
        $child = pcntl_fork();
        if ($child === 0) {
            for ($i = 0; $i < 50; $i++) {
                $client->counter('child_total');
                $client->flush();
            }
            posix_kill((int) getmypid(), SIGKILL);
        }
        for ($i = 0; $i < 50; $i++) {
            $client->counter('parent_total');
            $client->flush();
        }
        pcntl_waitpid($child, $status);
        self::assertSame([], $client->dropped(), (string) $client->lastReason());
        self::assertSame(3, $redis->connections(), 'one of each process, one of this test');
        $names = array_count_values(array_column($redis->samples(), 'name'));
        ksort($names);
        self::assertSame(['child_total' => 50, 'parent_total' => 51], $names);
    }

    /** @return iterable<string, array{class-string, string, string}> */
    public static function faults(): iterable
    {
        foreach (self::libraries() as $name => [$library]) {
            yield "$name, a port that refuses" => [$library, 'nobody', 'redis_unreachable'];
            yield "$name, a server that says nothing" => [$library, 'silent', 'redis_unreachable'];
            yield "$name, one that says nothing to a login" => [$library, 'silent-login', 'redis_unreachable'];
            yield "$name, one that says nothing to TLS" => [$library, 'silent-tls', 'redis_unreachable'];
            yield "$name, a server that cuts" => [$library, 'cut', 'redis_unreachable'];
            yield "$name, a server that cuts in the middle" => [$library, 'midway', 'redis_unreachable'];
            yield "$name, a server that cuts in the middle at once" => [$library, 'abrupt', 'redis_unreachable'];
            yield "$name, a server that refuses" => [$library, 'refuse', 'redis_error'];
        }
    }

    /** @dataProvider faults */
    public function testNothingHoldsAFlushUp(string $library, string $manner, string $reason): void
    {
        $peer = $manner === 'nobody' ? null : new Peer(explode('-', $manner)[0]);
        $port = $peer->port ?? Process::freePort();
        $client = $this->client($library, match ($manner) {
            'silent-login' => "redis://:secret@127.0.0.1:$port/1",
            'silent-tls' => "rediss://127.0.0.1:$port",
            default => "redis://127.0.0.1:$port",
        });
        $took = [];
        do {
            for ($i = 0; $i < 500; $i++) {
                $client->counter('x_total', ['number' => $i, 'text' => str_repeat('x', 1000)]);
            }
            $started = hrtime(true);
            self::assertFalse($client->flush());
            $took[] = (hrtime(true) - $started) / 1e9;
        } while (min($took) > self::PROMISED_SECONDS && count($took) < self::TRIES);
        self::assertLessThan(self::PROMISED_SECONDS, min($took), implode(' ', $took));
        self::assertSame([$reason => 500 * count($took)], $client->dropped(), (string) $client->lastReason());
    }

    /** @dataProvider libraries */
    public function testAPushMayTakeWhatIsLeftOfTheTime(string $library): void
    {
        $peer = new Peer('slow');
        $client = $this->client($library, $peer->url());
        for ($i = 0; $i < self::TRIES; $i++) {
            $client->counter('x_total');
            if ($client->flush()) {
                break;
            }
        }
        self::assertLessThan(self::TRIES, $i, (string) $client->lastReason());
    }

    /** @dataProvider libraries */
    public function testAServerThatCutsAfterEachPushLosesNothing(string $library): void
    {
        $peer = new Peer('cut-later');
        $connection = $this->connection($library, $peer->url());
        $client = new Client($connection, new Options(log: fn () => null));
        for ($i = 0; $i < 5; $i++) {
            $client->counter('x_total');
            self::assertTrue($client->flush(), (string) $client->lastReason());
            $ends = [(new \ReflectionMethod($connection, 'stream'))->invoke($connection)];
            $none = null;
            self::assertSame(1, stream_select($ends, $none, $none, 10), 'it has nothing to read but its end');
        }
    }

    public function testYoursIsOnlyAskedForItsAddress(): void
    {
        if (!extension_loaded('redis') || !class_exists(\Predis\Client::class)) {
            self::markTestSkipped('needs the redis extension and Predis');
        }
        $redis = new RedisServer(['--requirepass', 'secret']);
        $phpredis = new \Redis();
        $phpredis->connect('127.0.0.1', $redis->port);
        $phpredis->auth('secret');
        $phpredis->select(2);
        $phpredis->setOption(\Redis::OPT_PREFIX, 'laravel_database_');
        $phpredis->setOption(\Redis::OPT_SERIALIZER, \Redis::SERIALIZER_PHP);
        $phpredis->multi();
        $predis = new \Predis\Client(
            ['host' => '127.0.0.1', 'port' => $redis->port, 'password' => 'secret', 'database' => 2],
            ['prefix' => 'laravel_database_'],
        );
        foreach ([$phpredis, $predis] as $yours) {
            $client = Client::using($yours, new Options(key: 'samples', log: fn () => null));
            $client->counter('x_total');
            self::assertTrue($client->flush(), (string) $client->lastReason());
        }
        $phpredis->discard();
        $phpredis->setOption(\Redis::OPT_PREFIX, '');
        $phpredis->setOption(\Redis::OPT_SERIALIZER, \Redis::SERIALIZER_NONE);
        self::assertSame(
            array_fill(0, 2, '{"name":"x_total","type":"counter","value":1}'),
            $phpredis->lRange('samples', 0, -1),
        );
    }

    public function testSamplesAreSentAtTheEndOfTheProcessAsTheEnvironmentSays(): void
    {
        $redis = new RedisServer();
        $program = 'require "' . __DIR__ . '/bootstrap.php";
            $metrics = PromStreamGateway\Client::connect();
            register_shutdown_function(fn () => $metrics->counter("late_total"));
            $metrics->counter("early_total");
            exit(3);';
        $environment = ['PROM_STREAM_GATEWAY_REDIS_URL' => $redis->url(), 'PROM_STREAM_GATEWAY_KEY' => 'samples'];
        self::assertSame('', Process::run([PHP_BINARY, '-r', $program], $environment));
        self::assertSame(['early_total', 'late_total'], array_column($redis->samples('samples'), 'name'));
        Process::run([PHP_BINARY, '-r', str_replace('exit(3)', 'undefined()', $program)], $environment);
        self::assertCount(4, $redis->samples('samples'), 'after a fatal error too');
    }

    public function testAnAddressThatIsNoneIsSaid(): void
    {
        $said = [];
        $log = function (string $line) use (&$said): void {
            $said[] = $line;
        };
        $client = Client::connect('http://user:secret@host', new Options(log: $log));
        $client->counter('x_total');
        self::assertFalse($client->flush());
        self::assertCount(1, $said);
        self::assertStringContainsString('redis://', $said[0]);
        self::assertStringNotContainsString('secret', $said[0]);
    }
}
