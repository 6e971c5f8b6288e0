<?php

declare(strict_types=1);

namespace PromStreamGateway\Tests\Support;

/** A folder of the test's own, gone with it. */
final class Folder
{
    public readonly string $path;

    public function __construct()
    {
        $this->path = sys_get_temp_dir() . '/psg-php-' . bin2hex(random_bytes(6));
        mkdir($this->path);
    }

    public function __destruct()
    {
        self::remove($this->path);
    }

    public function file(string $name): string
    {
        return "$this->path/$name";
    }

    private static function remove(string $path): void
    {
        if (is_dir($path)) {
            array_map(self::remove(...), glob("$path/*") ?: []);
            rmdir($path);
        } else {
            unlink($path);
        }
    }
}
