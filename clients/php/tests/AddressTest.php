<?php

declare(strict_types=1);

namespace PromStreamGateway\Tests;

use PHPUnit\Framework\TestCase;
use PromStreamGateway\Connection\Address;

final class AddressTest extends TestCase
{
    /** @return iterable<array{Address, Address}> */
    public static function addresses(): iterable
    {
        yield [new Address(), Address::parse('redis://localhost')];
        yield [new Address('h', 1, 'u', 'p:w', 2, true), Address::parse('rediss://u:p%3Aw@h:1/2')];
        yield [new Address('::1', 7000, null, 'p'), Address::parse('redis://:p@[::1]:7000')];
        yield [new Address(socket: '/run/redis.sock'), Address::parse('unix:///run/redis.sock')];
        yield [new Address(), Address::ofSettings([])];
        yield [
            new Address('h', 1, 'u', 'p', 2, true, ['cafile' => 'ca.pem']),
            Address::ofSettings([
                'host' => 'tls://h', 'port' => '1', 'username' => 'u', 'password' => 'p', 'database' => '2',
                'context' => ['stream' => ['cafile' => 'ca.pem']],
            ]),
        ];
        yield [
            new Address('h', 6379, null, null, 0, true),
            Address::ofSettings(['scheme' => 'tls', 'host' => 'h', 'password' => null, 'port' => 6379]),
        ];
        yield [
            new Address('h', 1, null, 'p', 3),
            Address::ofSettings(['url' => 'redis://:p@h:1/3', 'host' => 'other', 'database' => '0']),
        ];
        yield [
            new Address('/run/redis.sock', 0, socket: '/run/redis.sock'),
            Address::ofSettings(['host' => '/run/redis.sock', 'port' => 0]),
        ];
    }

    /** @dataProvider addresses */
    public function testAnAddressIsRead(Address $expected, Address $actual): void
    {
        self::assertEquals($expected, $actual);
    }

    public function testWhatIsNoAddressIsRefusedWithoutShowingIt(): void
    {
        foreach (['', 'localhost', 'http://:secret@h', 'redis://', 'redis://:secret@h:port'] as $text) {
            try {
                Address::parse($text);
                self::fail("expected an exception for $text");
            } catch (\InvalidArgumentException $error) {
                self::assertStringNotContainsString('secret', $error->getMessage());
            }
        }
    }
}
