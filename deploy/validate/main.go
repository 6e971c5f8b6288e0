// Checks the Kubernetes manifests and the chart against the types of the
// Kubernetes API: an unknown field, a wrong type or an unknown kind is an error.
// The chart is linted, and rendered with each set of values that matters.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	apps "k8s.io/api/apps/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

type values = map[string]any

// What the chart is rendered with.
var cases = map[string]values{
	"at most once": {"redis": values{"existingSecret": "s"}},
	"exactly once": {"redis": values{"existingSecret": "s"}, "delivery": "exactly-once"},
	"everything": {
		"redis":      values{"connectionString": "redis:6379"},
		"settings":   values{"Metrics.MaxSeries": 5000000.0, "Metrics.SortIncomingLabels": false},
		"http":       values{"configSecret": "web"},
		"podMonitor": values{"enabled": true, "labels": values{"release": "p"}},
		"nodeSelector": values{"a": "b"},
		"tolerations":  []any{values{"key": "a", "operator": "Exists"}},
	},
}

// What must not be rendered.
var refused = map[string]values{
	"no redis":            {},
	"an unknown delivery": {"redis": values{"existingSecret": "s"}, "delivery": "twice"},
	"an unknown value":    {"redis": values{"existingSecret": "s"}, "replicas": 2},
}

func main() {
	root := os.Args[1]
	failures := 0
	report := func(what string, err error) {
		if err != nil {
			failures++
			fmt.Printf("%s: %v\n", what, err)
			return
		}
		fmt.Printf("%s: sound\n", what)
	}
	files, _ := filepath.Glob(filepath.Join(root, "kubernetes", "*.yaml"))
	if len(files) == 0 {
		report("kubernetes", errors.New("expected manifests, came none"))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil {
			err = check(text)
		}
		report(filepath.Base(file), err)
	}
	chart := filepath.Join(root, "helm", "prom-stream-gateway")
	for name, given := range cases {
		text, err := render(chart, given)
		if err == nil {
			err = check(text)
		}
		report("chart, "+name, err)
	}
	for name, given := range refused {
		_, err := render(chart, given)
		if err == nil {
			report("chart, "+name, errors.New("expected a refusal, came a manifest"))
		}
	}
	if failures > 0 {
		os.Exit(1)
	}
}

// All documents of a chart with these values.
func render(path string, given values) ([]byte, error) {
	chart, err := loader.Load(path)
	if err != nil {
		return nil, err
	}
	if err := chart.Validate(); err != nil {
		return nil, err
	}
	release := chartutil.ReleaseOptions{Name: "metrics", Namespace: "default"}
	all, err := chartutil.ToRenderValues(chart, given, release, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	rendered, err := engine.Engine{Strict: true}.Render(chart, all)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(rendered))
	for name := range rendered {
		if strings.HasSuffix(name, ".yaml") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var text bytes.Buffer
	for _, name := range names {
		fmt.Fprintf(&text, "---\n%s\n", rendered[name])
	}
	return text.Bytes(), nil
}

// Whether each document is what its kind says.
func check(text []byte) error {
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	count := 0
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var head struct{ APIVersion, Kind string }
		if err := strict.Unmarshal(document, &head); err != nil {
			return err
		}
		if head.Kind == "" {
			continue
		}
		count++
		if err := decode(head.APIVersion+" "+head.Kind, document); err != nil {
			return fmt.Errorf("%s: %w", head.Kind, err)
		}
	}
	if count == 0 {
		return errors.New("expected a document, came none")
	}
	return nil
}

func decode(kind string, document []byte) error {
	switch kind {
	case "apps/v1 Deployment":
		deployment := &apps.Deployment{}
		if err := strict.UnmarshalStrict(document, deployment); err != nil {
			return err
		}
		return checkDeployment(deployment)
	case "policy/v1 PodDisruptionBudget":
		return strict.UnmarshalStrict(document, &policy.PodDisruptionBudget{})
	case "monitoring.coreos.com/v1 PodMonitor":
		return strict.UnmarshalStrict(document, &monitoring.PodMonitor{})
	}
	return errors.New("nobody checks this kind")
}

// What types don't tell: that it selects its own pods, and gives up what it
// does not need.
func checkDeployment(deployment *apps.Deployment) error {
	pod := deployment.Spec.Template
	for key, value := range deployment.Spec.Selector.MatchLabels {
		if pod.Labels[key] != value {
			return fmt.Errorf("selector %s=%s is not a label of its pods", key, value)
		}
	}
	found := false
	for _, container := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
		if container.Name != "gateway" {
			continue
		}
		found = true
		security := container.SecurityContext
		if security == nil || security.ReadOnlyRootFilesystem == nil ||
			!*security.ReadOnlyRootFilesystem || security.AllowPrivilegeEscalation == nil ||
			*security.AllowPrivilegeEscalation {
			return errors.New("the gateway may write or gain privileges")
		}
	}
	if !found {
		return errors.New("expected a container named gateway, came none")
	}
	return nil
}
