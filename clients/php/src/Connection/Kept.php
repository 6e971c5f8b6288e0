<?php

declare(strict_types=1);

namespace PromStreamGateway\Connection;

use PromStreamGateway\Connection;
use PromStreamGateway\Refused;

use function feof;
use function getmypid;
use function hrtime;
use function is_int;
use function time;

/**
 * A connection that is kept from flush to flush. Before it is used again it is
 * looked at whether the server has ended it, and one that has rested is asked for an
 * answer too: while a function on AWS Lambda is frozen, or a worker waits, servers and
 * networks drop connections. A dead one is replaced, once; after that nothing is sent
 * twice.
 */
abstract class Kept implements Connection
{
    /** One that has answered within so many seconds is only looked at. */
    private const FRESH_SECONDS = 1;

    private bool $isOpen = false;
    private int $process = 0;
    /** When there was an answer: a clock that goes on while a function is frozen. */
    private int $answered = 0;

    /** @param \Closure(): Address $address asked for each new connection */
    final public function __construct(private readonly \Closure $address)
    {
    }

    final public function lpush(string $key, array $elements, float $timeout): void
    {
        $deadline = hrtime(true) + (int) ($timeout * 1e9);
        try {
            if (!$this->isOpen || !$this->isAlive($timeout / 4)) {
                $this->replace($deadline);
            }
            $length = $this->command(['LPUSH', $key, ...$elements], self::left($deadline));
            // phpredis takes an answer that was cut for a whole one.
            if (!is_int($length) || $length < 1) {
                throw new \RuntimeException('expected the length of the list as the answer');
            }
            $this->answered = time();
        } catch (\Throwable $error) {
            // What comes late must not be read as the answer to the next command; and
            // who refused may be a former primary, whose name leads elsewhere now.
            $this->isOpen = false;
            $this->close();
            throw $error;
        }
    }

    /** Connects; all steps of that together should take no longer than this. */
    abstract protected function open(Address $address, float $timeout): void;

    /**
     * Sends a command and waits for its answer.
     *
     * @param non-empty-list<string> $arguments
     * @throws Refused where the answer is an error
     */
    abstract protected function command(array $arguments, float $timeout): mixed;

    abstract protected function close(): void;

    /**
     * The socket of the connection; null where it can't be had.
     *
     * @return ?resource
     */
    abstract protected function stream();

    private function replace(int $deadline): void
    {
        $this->isOpen = false;
        $this->close();
        $address = ($this->address)();
        $this->open($address, self::left($deadline));
        if ($address->password !== null) {
            $login = $address->user === null ? [] : [$address->user];
            $this->command(['AUTH', ...$login, $address->password], self::left($deadline));
        }
        if ($address->database !== 0) {
            $this->command(['SELECT', (string) $address->database], self::left($deadline));
        }
        $this->isOpen = true;
        $this->process = (int) getmypid();
    }

    private function isAlive(float $timeout): bool
    {
        // Two processes on one connection would read each other's answers.
        if ($this->process !== getmypid()) {
            return false;
        }
        $stream = $this->stream();
        if ($stream !== null) {
            if (feof($stream)) {
                return false;
            }
            // Either way, since this clock may be set.
            if (abs(time() - $this->answered) <= self::FRESH_SECONDS) {
                return true;
            }
        }
        try {
            $this->command(['PING'], $timeout);
        } catch (Refused) {
            // A login may lack the right to ask.
        } catch (\Throwable) {
            return false;
        }
        return true;
    }

    private static function left(int $deadline): float
    {
        $left = ($deadline - hrtime(true)) / 1e9;
        return $left > 0.001 ? $left : throw new \RuntimeException('no answer in time');
    }
}
