<?php

// The package and its optional companions: Composer's, or else Debian's.

declare(strict_types=1);

$vendor = dirname(__DIR__) . '/vendor/autoload.php';
if (is_file($vendor)) {
    require_once $vendor;
} else {
    spl_autoload_register(function (string $class): void {
        foreach (['PromStreamGateway\\Tests\\' => '/', 'PromStreamGateway\\' => '/../src/'] as $prefix => $folder) {
            if (str_starts_with($class, $prefix)) {
                $file = __DIR__ . $folder . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php';
                if (is_file($file)) {
                    require_once $file;
                }
                return;
            }
        }
    });
    // Debian's Predis and Laravel are older than its PHP.
    error_reporting(E_ALL & ~E_DEPRECATED);
    if (stream_resolve_include_path('Predis/autoload.php') !== false) {
        require_once 'Predis/autoload.php';
    }
}
// A copy of PromPHP's repository, for those who can't reach Packagist.
if (is_string(getenv('PSG_PROMPHP'))) {
    spl_autoload_register(function (string $class): void {
        $file = getenv('PSG_PROMPHP') . '/src/' . strtr($class, '\\', '/') . '.php';
        if (str_starts_with($class, 'Prometheus\\') && is_file($file)) {
            require_once $file;
        }
    });
}
if (!interface_exists(Prometheus\Storage\Adapter::class)) {
    require_once __DIR__ . '/Support/promphp.php';
}
