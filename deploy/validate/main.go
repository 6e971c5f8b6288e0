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
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

// docs/tune.md.
var settings string

func main() {
	root := os.Args[1]
	tune, err := os.ReadFile(filepath.Join(root, "..", "docs", "tune.md"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	settings = string(tune)
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
		report("kubernetes", errors.New("expected manifests, got none"))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil {
			err = check(text)
		}
		report(filepath.Base(file), err)
	}
	chart := filepath.Join(root, "helm", "prom-stream-gateway")
	report("chart, by helm's linter", lintChart(chart))
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		text, err := render(chart, cases[name].values)
		if err == nil {
			err = errors.Join(check(text), contains(string(text), cases[name].parts))
		}
		report("chart, "+name, err)
	}
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		_, err := render(chart, refused[name].values)
		if err == nil {
			err = errors.New("expected a refusal, got a manifest")
		} else {
			err = contains(err.Error(), refused[name].parts)
		}
		report("chart refuses "+name, err)
	}
	if failures > 0 {
		os.Exit(1)
	}
}

// What `helm lint` warns of.
func lintChart(path string) error {
	linter := lint.All(path, values{"redis": secret}, "default", true)
	if linter.HighestSeverity < support.WarningSev {
		return nil
	}
	return fmt.Errorf("%v", linter.Messages)
}

// Whether each part stands in a text.
func contains(text string, parts []string) error {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return fmt.Errorf("expected %q, got:\n%s", part, text)
		}
	}
	return nil
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
	var text bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if strings.HasSuffix(name, ".yaml") {
			fmt.Fprintf(&text, "---\n%s\n", rendered[name])
		} else if strings.TrimSpace(rendered[name]) == "" && strings.HasSuffix(name, "NOTES.txt") {
			return nil, errors.New("expected notes, got none")
		}
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
		return errors.New("expected a document, got none")
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
		return checkPods(deployment.Spec.Selector.MatchLabels, &deployment.Spec.Template)
	case "apps/v1 StatefulSet":
		set := &apps.StatefulSet{}
		if err := strict.UnmarshalStrict(document, set); err != nil {
			return err
		}
		return checkPods(set.Spec.Selector.MatchLabels, &set.Spec.Template)
	case "policy/v1 PodDisruptionBudget":
		return strict.UnmarshalStrict(document, &policy.PodDisruptionBudget{})
	case "networking.k8s.io/v1 NetworkPolicy":
		return strict.UnmarshalStrict(document, &networking.NetworkPolicy{})
	case "v1 Service":
		return strict.UnmarshalStrict(document, &core.Service{})
	case "v1 ServiceAccount":
		return strict.UnmarshalStrict(document, &core.ServiceAccount{})
	case "v1 ConfigMap":
		return strict.UnmarshalStrict(document, &core.ConfigMap{})
	case "v1 PersistentVolumeClaim":
		return strict.UnmarshalStrict(document, &core.PersistentVolumeClaim{})
	case "monitoring.coreos.com/v1 PodMonitor":
		return strict.UnmarshalStrict(document, &monitoring.PodMonitor{})
	case "monitoring.coreos.com/v1 PrometheusRule":
		return strict.UnmarshalStrict(document, &monitoring.PrometheusRule{})
	}
	return errors.New("nobody checks this kind")
}

// What types don't tell: that it selects its own pods, that what is mounted is
// there, that settings are ones that there are, and once; that the gateway gives
// up what it does not need.
func checkPods(selector map[string]string, pod *core.PodTemplateSpec) error {
	for key, value := range selector {
		if pod.Labels[key] != value {
			return fmt.Errorf("selector %s=%s is not a label of its pods", key, value)
		}
	}
	volumes := map[string]bool{}
	for _, volume := range pod.Spec.Volumes {
		volumes[volume.Name] = true
	}
	found := false
	for _, container := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
		for _, mount := range container.VolumeMounts {
			if !volumes[mount.Name] {
				return fmt.Errorf("there is no volume %s", mount.Name)
			}
		}
		if container.Name != "gateway" {
			continue
		}
		found = true
		if err := errors.Join(checkSettings(container.Env), checkProbes(&container)); err != nil {
			return err
		}
		security := container.SecurityContext
		if security == nil || security.ReadOnlyRootFilesystem == nil ||
			!*security.ReadOnlyRootFilesystem || security.AllowPrivilegeEscalation == nil ||
			*security.AllowPrivilegeEscalation {
			return errors.New("the gateway may write or gain privileges")
		}
	}
	if !found {
		return errors.New("expected a container named gateway, got none")
	}
	return nil
}

// Each is in the table of docs/tune.md, and none is there twice: the last would win.
func checkSettings(environment []core.EnvVar) error {
	seen := map[string]bool{}
	for _, variable := range environment {
		if seen[variable.Name] {
			return fmt.Errorf("%s is set twice", variable.Name)
		}
		seen[variable.Name] = true
		setting := strings.Replace(variable.Name, "__", ".", 1)
		if setting != variable.Name && !strings.Contains(settings, "\n| `"+setting+"` |") {
			return fmt.Errorf("docs/tune.md knows no %s", setting)
		}
	}
	return nil
}

// A crowd at the gateway's door may keep a probe waiting for more than the second
// that is the default.
func checkProbes(container *core.Container) error {
	for _, probe := range []*core.Probe{container.LivenessProbe, container.ReadinessProbe, container.StartupProbe} {
		if probe != nil && probe.TimeoutSeconds != 3 {
			return fmt.Errorf("expected probes that wait 3 s, got %d", probe.TimeoutSeconds)
		}
	}
	return nil
}
