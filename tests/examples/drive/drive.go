package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"strings"
	"time"
)

// Pushes once for each line of standard input, with a value that JSON can't
// write where the line says so, and tells how many milliseconds that took.
func init() {
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		odd := sample{Type: "counter", Name: "pushed_total", Value: 1}
		one := odd
		switch lines.Text() {
		case "odd":
			odd.Value = math.NaN()
		case "large":
			one.Labels = map[string]string{"text": strings.Repeat("x", 20_000_000)}
		}
		started := time.Now()
		pushMetrics(odd, one)
		fmt.Println("took", time.Since(started).Milliseconds())
	}
	os.Exit(0)
}
