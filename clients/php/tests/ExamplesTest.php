<?php

declare(strict_types=1);

namespace PromStreamGateway\Tests;

use PHPUnit\Framework\TestCase;
use PromStreamGateway\Tests\Support\Folder;
use PromStreamGateway\Tests\Support\Process;
use PromStreamGateway\Tests\Support\RedisServer;

/** What users copy runs as it stands. */
final class ExamplesTest extends TestCase
{
    private Folder $folder;
    private RedisServer $redis;

    protected function setUp(): void
    {
        if (!RedisServer::isThere()) {
            self::markTestSkipped('needs redis-server');
        }
        $this->redis = new RedisServer();
        $this->folder = new Folder();
        mkdir($this->folder->file('vendor'));
        $bootstrap = var_export(__DIR__ . '/bootstrap.php', true);
        file_put_contents($this->folder->file('vendor/autoload.php'), "<?php require $bootstrap;");
    }

    protected function tearDown(): void
    {
        unset($this->redis, $this->folder);
    }

    private function runProgram(string $file, string $program): string
    {
        file_put_contents($this->folder->file($file), $program);
        $environment = ['PROM_STREAM_GATEWAY_REDIS_URL' => $this->redis->url()];
        return Process::run([PHP_BINARY, $this->folder->file($file)], $environment);
    }

    public function testTheHandlerForBref(): void
    {
        copy(dirname(__DIR__) . '/examples/bref.php', $this->folder->file('bref.php'));
        $said = $this->runProgram('runtime.php', '<?php
            $handler = require __DIR__ . "/bref.php";
            for ($i = 0; $i < 3; $i++) {
                echo json_encode($handler(["format" => "png"], new stdClass())), "\n";
                if ($i < 2) {
                    continue;
                }
                posix_kill(getmypid(), SIGKILL); // frozen for ever: what was not flushed is lost
            }');
        self::assertSame(str_repeat("{\"status\":\"done\"}\n", 3), $said);
        $samples = $this->redis->samples();
        self::assertCount(6, $samples);
        self::assertSame(['format' => 'png', 'function' => 'resize'], $samples[0]['labels']);
    }

    public function testTheProgramsOfTheReadme(): void
    {
        $readme = (string) file_get_contents(dirname(__DIR__) . '/README.md');
        preg_match_all('/^```php\n(<\?php\n.*?)^```$/ms', $readme, $programs);
        self::assertNotEmpty($programs[1]);
        foreach ($programs[1] as $number => $program) {
            self::assertSame('', $this->runProgram("program-$number.php", $program));
        }
        self::assertContains('jobs_total', array_column($this->redis->samples(), 'name'));
    }
}
