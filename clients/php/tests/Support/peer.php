<?php

// Listens on a free port, which it prints, and treats connections one at a time:
//
// silent      is never heard of
// cut         ends each connection at once
// abrupt      ends each connection in the middle of its first answer
// midway      the same, but waits a little first
// refuse      answers each command with an error
// slow        answers well, but takes a tenth of a second for an LPUSH
// cut-later   answers well, but ends a connection after its first LPUSH
// mute-later  answers well, but the first connection has no answer after its first LPUSH

declare(strict_types=1);

$manner = $argv[1];
$server = stream_socket_server('tcp://127.0.0.1:0');
echo substr(strrchr(stream_socket_get_name($server, false), ':'), 1), "\n";
if ($manner === 'silent') {
    while (true) {
        sleep(60);
    }
}

/** The next command of a connection, or nothing at its end. */
function command($connection): array
{
    $arguments = [];
    for ($count = (int) substr((string) fgets($connection), 1); $count > 0; $count--) {
        $length = (int) substr((string) fgets($connection), 1);
        $arguments[] = substr((string) stream_get_contents($connection, $length + 2), 0, -2);
    }
    return $arguments;
}

$mute = [];
while (true) {
    $connection = @stream_socket_accept($server, 60);
    while ($connection && $manner !== 'cut' && ($arguments = command($connection)) !== []) {
        $isPush = strtoupper($arguments[0]) === 'LPUSH';
        if ($isPush && $manner === 'slow') {
            usleep(100_000);
        }
        fwrite($connection, match (true) {
            $manner === 'midway' => '$1',
            $manner === 'abrupt' => ':',
            $manner === 'refuse' => "-ERR the queue has another key\r\n",
            $isPush => ":1\r\n",
            default => "+OK\r\n",
        });
        if ($isPush && $manner === 'mute-later' && $mute === []) {
            $mute[] = $connection;
            continue 2;
        }
        if ($manner === 'midway') {
            usleep(20_000); // so that phpredis is reading: without its option it would read for ever
            break;
        }
        if ($manner === 'abrupt' || ($isPush && $manner === 'cut-later')) {
            break;
        }
    }
    if ($connection) {
        fclose($connection);
    }
}
