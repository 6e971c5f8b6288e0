// What expfmt reads of a gateway, the package with which client_golang and programs
// around it write and read expositions: for each format and escaping that it can ask
// for, a line of JSON. The gateway's own metrics are left out.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

var formats = []expfmt.Format{
	expfmt.FmtProtoDelim,
	expfmt.FmtOpenMetrics_1_0_0,
	expfmt.FmtOpenMetrics_0_0_1,
	"text/plain; version=1.0.0; charset=utf-8",
	expfmt.FmtText,
}

var schemes = []model.EscapingScheme{
	model.NoEscaping, model.UnderscoreEscaping, model.DotsEscaping, model.ValueEncodingEscaping,
}

// A page is one exposition as it was read.
type page struct {
	Asked string `json:"asked"`
	Said  string `json:"said"`
	// The metric and the label that the program was given, as it reads them.
	Metric string `json:"metric"`
	Label  string `json:"label"`
	// By name and labels, where escaped names are as they were before wherever that
	// can be told.
	Totals map[string]float64 `json:"totals"`
	// Series with a time at which they began.
	Started int `json:"started"`
	// Families with a unit.
	Units int `json:"units"`

	scheme model.EscapingScheme
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func number(value float64) string {
	return strconv.FormatFloat(value, 'f', -1, 64)
}

func (p *page) add(name string, metric *dto.Metric, more string, value float64) {
	var labels []string
	for _, label := range metric.GetLabel() {
		name, value := model.UnescapeName(label.GetName(), p.scheme), label.GetValue()
		// Of an OpenMetrics histogram, whose lines are none to expfmt.
		if bound, err := strconv.ParseFloat(value, 64); name == "le" && err == nil {
			value = number(bound)
		}
		labels = append(labels, name+"="+value)
	}
	if more != "" {
		labels = append(labels, more)
	}
	sort.Strings(labels)
	p.Totals[fmt.Sprintf("%s{%s}", name, strings.Join(labels, ","))] = value
}

func (p *page) read(family *dto.MetricFamily) {
	name := model.UnescapeName(family.GetName(), p.scheme)
	if strings.HasPrefix(name, "prom_stream_gateway_") {
		return
	}
	if family.GetUnit() != "" {
		p.Units++
	}
	for _, metric := range family.GetMetric() {
		switch {
		case metric.GetCounter() != nil:
			p.add(name, metric, "", metric.GetCounter().GetValue())
			p.start(metric.GetCounter().GetCreatedTimestamp() != nil)
		case metric.GetGauge() != nil:
			p.add(name, metric, "", metric.GetGauge().GetValue())
		case metric.GetUntyped() != nil:
			p.add(name, metric, "", metric.GetUntyped().GetValue())
		case metric.GetSummary() != nil:
			summary := metric.GetSummary()
			p.add(name+"_sum", metric, "", summary.GetSampleSum())
			p.add(name+"_count", metric, "", float64(summary.GetSampleCount()))
			p.start(summary.GetCreatedTimestamp() != nil)
		case metric.GetHistogram() != nil:
			histogram := metric.GetHistogram()
			p.add(name+"_sum", metric, "", histogram.GetSampleSum())
			p.add(name+"_count", metric, "", float64(histogram.GetSampleCount()))
			for _, bucket := range histogram.GetBucket() {
				bound := "le=" + number(bucket.GetUpperBound())
				p.add(name+"_bucket", metric, bound, float64(bucket.GetCumulativeCount()))
			}
			if histogram.Schema != nil && len(histogram.GetBucket()) == 0 {
				p.add(name+"_bucket", metric, "le=+Inf", float64(native(histogram)))
			}
			p.start(histogram.GetCreatedTimestamp() != nil)
		}
	}
}

// How many observations are in all native buckets together.
func native(of *dto.Histogram) uint64 {
	return of.GetZeroCount() + inBuckets(of.GetPositiveSpan(), of.GetPositiveDelta()) +
		inBuckets(of.GetNegativeSpan(), of.GetNegativeDelta())
}

func inBuckets(spans []*dto.BucketSpan, deltas []int64) uint64 {
	buckets, count, sum := 0, int64(0), int64(0)
	for _, span := range spans {
		buckets += int(span.GetLength())
	}
	if buckets != len(deltas) {
		panic(fmt.Sprintf("%d buckets have %d counts", buckets, len(deltas)))
	}
	for _, delta := range deltas {
		count += delta
		sum += count
	}
	return uint64(sum)
}

func (p *page) start(told bool) {
	if told {
		p.Started++
	}
}

func fetch(url, metric, label string, asked expfmt.Format) page {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	must(err)
	request.Header.Set("Accept", string(asked))
	reply, err := http.DefaultClient.Do(request)
	must(err)
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		panic(reply.Status)
	}
	said := expfmt.Format(reply.Header.Get("Content-Type"))
	if said.FormatType() != asked.FormatType() || said.Version() != asked.Version() ||
		said.ToEscapingScheme() != asked.ToEscapingScheme() {
		panic(fmt.Sprintf("asked for %s, got %s", asked, said))
	}
	scheme := asked.ToEscapingScheme()
	seen := func(name string) string {
		return model.UnescapeName(model.EscapeName(name, scheme), scheme)
	}
	result := page{
		Asked: string(asked), Said: string(said), Metric: seen(metric), Label: seen(label),
		Totals: map[string]float64{}, scheme: scheme,
	}
	decoder := expfmt.NewDecoder(reply.Body, said)
	for {
		family := new(dto.MetricFamily)
		if err := decoder.Decode(family); errors.Is(err, io.EOF) {
			return result
		} else if err != nil {
			panic(fmt.Sprintf("asked for %s: %s", asked, err))
		}
		result.read(family)
	}
}

func main() {
	url, metric, label := os.Args[1], os.Args[2], os.Args[3]
	for _, format := range formats {
		for _, scheme := range schemes {
			page := fetch(url, metric, label, format.WithEscapingScheme(scheme))
			must(json.NewEncoder(os.Stdout).Encode(page))
		}
	}
}
