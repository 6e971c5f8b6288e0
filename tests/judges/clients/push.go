// go-redis: plain, in a pipeline, in a transaction; in RESP2 and RESP3.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"
)

const queue = "prom-stream-gateway:metric-queue"

func sample(way string) string {
	return fmt.Sprintf(`{"name":"client_total","value":1,"labels":{"way":%q}}`, way)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func push(protocol int) {
	ctx := context.Background()
	client := redis.NewClient(&redis.Options{
		Addr: "127.0.0.1:" + os.Args[1], Protocol: protocol, ClientName: "test",
	})
	way := fmt.Sprintf("go-redis %d", protocol)
	must(client.LPush(ctx, queue, sample(way)).Err())
	must(client.RPush(ctx, queue, sample(way), sample(way)).Err())
	three := func(way string) func(redis.Pipeliner) error {
		return func(pipe redis.Pipeliner) error {
			for i := 0; i < 3; i++ {
				pipe.LPush(ctx, queue, sample(way))
			}
			return nil
		}
	}
	_, err := client.Pipelined(ctx, three(way+" pipeline"))
	must(err)
	_, err = client.TxPipelined(ctx, three(way+" transaction"))
	must(err)
	must(client.Close())
}

func main() {
	push(2)
	push(3)
}
