<?php
// Pushes once for each line of standard input, with a value that JSON can't
// write where the line says so, and tells how many milliseconds that took.
require __DIR__ . '/producer.php';

echo "ready\n";
while (($line = fgets(STDIN)) !== false) {
    $odd = ['type' => 'counter', 'name' => 'pushed_total', 'value' => trim($line) === 'odd' ? NAN : 1];
    $help = trim($line) === 'large' ? str_repeat('x', 20_000_000) : '';
    $started = hrtime(true);
    push_metrics($odd, ['type' => 'counter', 'name' => 'pushed_total', 'value' => 1, 'help' => $help]);
    echo "took ", intdiv(hrtime(true) - $started, 1_000_000), "\n";
}
