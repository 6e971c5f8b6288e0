// Built together with producer.go, whose main asks Lambda for events: this is the
// Lambda that it asks. Each line of standard input is an event as JSON; what is
// answered is printed.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
)

func init() {
	events := bufio.NewScanner(os.Stdin)
	lambda := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			answer, _ := io.ReadAll(r.Body)
			what := "answer"
			if !strings.HasSuffix(r.URL.Path, "/response") {
				what = r.URL.Path
			}
			w.WriteHeader(http.StatusAccepted)
			fmt.Printf("%s %s\n", what, answer)
			return
		}
		if !events.Scan() {
			os.Exit(0)
		}
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", "1")
		w.Header().Set("Lambda-Runtime-Deadline-Ms", "4102444800000")
		w.Write(events.Bytes())
	}))
	os.Setenv("AWS_LAMBDA_RUNTIME_API", strings.TrimPrefix(lambda.URL, "http://"))
	fmt.Println("ready")
}
