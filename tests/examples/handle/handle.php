<?php
// Calls the handler that producer.php returns for each line of standard input, an
// event as JSON, as Bref does, and prints what it returns.
$handler = require __DIR__ . '/producer.php';

echo "ready\n";
while (($line = fgets(STDIN)) !== false) {
    $answer = $handler(json_decode($line, true), null);
    echo 'answer ' . json_encode($answer) . "\n";
}
