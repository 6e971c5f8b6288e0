// What the chart is rendered with, and what it refuses.
package main

import "helm.sh/helm/v3/pkg/strvals"

type values = map[string]any

// What `--set` makes of a text.
func set(text string) values {
	parsed, err := strvals.Parse(text)
	if err != nil {
		panic(err)
	}
	return parsed
}

// A set of values, and what has to stand in what comes of it.
type given struct {
	values values
	parts  []string
}

var secret = values{"existingSecret": "s"}

// What the chart is rendered with.
var cases = map[string]given{
	"at most once": {values{"redis": secret}, []string{
		"kind: Deployment", "type: Recreate", "terminationGracePeriodSeconds: 45", "emptyDir: {}",
		"kind: NetworkPolicy", "prometheus.io/scheme: http\n", "kind: ServiceAccount",
		"path: /-/ready", "type: ClusterIP", "name: Metrics__EmptyInstance",
	}},
	"exactly once": {values{"redis": secret, "delivery": "exactly-once"}, []string{
		"kind: StatefulSet", "replicas: 2", "terminationGracePeriodSeconds: 120",
		"clusterIP: None", ",*.metrics-prom-stream-gateway.default.svc.cluster.local", "kind: PodDisruptionBudget", "value: exactly-once",
	}},
	"without a standby": {
		values{"redis": secret, "delivery": "exactly-once", "standbys": 0}, []string{"replicas: 1"},
	},
	"three partitions": {
		values{"redis": secret, "delivery": "exactly-once", "partitions": 3},
		[]string{"replicas: 4", "name: Redis__MetricQueuePartitions", `value: "3"`},
	},
	"a state that lasts": {
		values{"redis": secret, "state": values{"persistence": values{"enabled": true, "storageClass": "fast"}}},
		[]string{"kind: PersistentVolumeClaim", "claimName: metrics-prom-stream-gateway", `storageClassName: "fast"`},
	},
	"a claim that is there": {
		values{"redis": secret, "state": values{"persistence": values{"enabled": true, "existingClaim": "c"}}},
		[]string{"claimName: c\n"},
	},
	"no state": {values{"redis": secret, "state": values{"enabled": false}}, nil},
	"its own queue": {
		values{"redis": secret, "embedded": values{"enabled": true, "tlsSecret": "t"}, "service": values{"type": "LoadBalancer"}},
		[]string{"value: /etc/embedded-tls/tls.key", "secretName: t,", "name: queue", "containerPort: 6379", "value: \":6379\"", "type: LoadBalancer"},
	},
	"its own queue, for all": {
		values{"embedded": values{"enabled": true, "allowUnauthenticated": true}},
		[]string{`value: "embedded"`, "name: Embedded__AllowUnauthenticated"},
	},
	"a password and a certificate in files": {
		set("redis.connectionString=redis:6380\\,ssl=true\\,user=gateway,redis.passwordSecret=p,redis.tlsClientSecret=c"),
		[]string{
			"value: /etc/redis-password/password", "value: /etc/redis-client/tls.key",
			"secretName: p, defaultMode", "mountPath: /etc/redis-client,",
		},
	},
	"settings in a file": {values{"settingsSecret": "settings"}, []string{"mountPath: /app"}},
	"lingering": {
		values{"redis": secret, "settings": values{"Http": values{"ShutdownLingerSeconds": 60}}},
		[]string{"terminationGracePeriodSeconds: 75"},
	},
	"a setting on the command line": {
		set("redis.existingSecret=s,settings.Metrics.MaxSeries=500000,settings.Log.Level=warn"),
		[]string{"value: \"500000\"", "name: Log__Level", "name: Metrics__FirstIncrement"},
	},
	// One word wins over the chart's own default.
	"lingering in one word": {
		values{"redis": secret, "settings": values{"Http.ShutdownLingerSeconds": 0.0}},
		[]string{"terminationGracePeriodSeconds: 15"},
	},
	"a grace period of one's own": {
		values{"redis": secret, "terminationGracePeriodSeconds": 7.0},
		[]string{"terminationGracePeriodSeconds: 7\n"},
	},
	"tls and a password": {
		values{
			"redis": values{"connectionString": "redis:6380,ssl=true", "tlsCa": values{"configMap": "ca"}},
			"http":  values{"configSecret": "web", "scheme": "https"},
			"podMonitor": values{
				"enabled":   true,
				"tlsConfig": values{"ca": values{"secret": values{"name": "web", "key": "ca.pem"}}},
				"basicAuth": values{
					"username": values{"name": "scraper", "key": "username"},
					"password": values{"name": "scraper", "key": "password"},
				},
			},
		},
		[]string{
			"scheme: https", "jobLabel: app.kubernetes.io/name", "basicAuth:", "tlsConfig:",
			"value: /etc/redis-ca/ca.crt", "name: Http__ConfigFile",
		},
	},
	"tls, found by annotations": {
		values{"redis": secret, "http": values{"configSecret": "web", "scheme": "https"}},
		[]string{"prometheus.io/scheme: https"},
	},
	"alerts and dashboard": {
		values{
			"redis":          secret,
			"prometheusRule": values{"enabled": true, "labels": values{"release": "p"}, "job": "metrics/gateway"},
			"dashboard":      values{"enabled": true, "annotations": values{"grafana_folder": "Fleet"}},
		},
		[]string{
			"kind: PrometheusRule", `up{job="metrics/gateway"}`, "record: job_queueKey:",
			"kind: ConfigMap", `grafana_dashboard: "1"`,
		},
	},
	"everything": {
		values{
			"fullnameOverride": "gateway",
			"redis":            values{"connectionString": "redis:6379", "tlsCa": values{"secret": "ca"}},
			"settings": values{
				"Metrics.MaxSeries": 5000000.0, "Metrics.SortIncomingLabels": false,
				"Shards": values{"Count": 2.0}, "Redis": values{"MetricQueueKey": "q"},
			},
			"http":                      values{"configSecret": "web", "allowedHosts": []any{"gateway.example"}},
			"podMonitor":                values{"enabled": true, "scrapeTimeout": "10s", "labels": values{"release": "p"}},
			"networkPolicy":             values{"metricsFrom": []any{values{"podSelector": values{}}}},
			"serviceAccount":            values{"create": false, "name": "metrics"},
			"service":                   values{"annotations": values{"a": "b"}},
			"podAnnotations":            values{"a": "b"},
			"podLabels":                 values{"c": "d"},
			"extraEnv":                  []any{values{"name": "SSL_CERT_FILE", "value": "/extra/ca.pem"}},
			"extraEnvFrom":              []any{values{"secretRef": values{"name": "more"}}},
			"extraVolumes":              []any{values{"name": "extra", "emptyDir": values{}}},
			"extraVolumeMounts":         []any{values{"name": "extra", "mountPath": "/extra"}},
			"podSecurityContext":        values{"runAsUser": nil, "runAsGroup": nil, "fsGroup": nil},
			"priorityClassName":         "high",
			"nodeSelector":              values{"a": "b"},
			"tolerations":               []any{values{"key": "a", "operator": "Exists"}},
			"affinity":                  values{"nodeAffinity": values{}},
			"topologySpreadConstraints": []any{values{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}},
		},
		[]string{
			`value: "gateway.default.svc,gateway.default.svc.cluster.local,gateway.example"`, `value: "5000000"`, "name: Shards__Count", "serviceAccountName: metrics", "name: SSL_CERT_FILE",
			"mountPath: /extra", "name: gateway\n", "podSelector: {}",
		},
	},
}

// What must not be rendered, and what the refusal has to say.
var refused = map[string]given{
	"no redis":                 {values{}, []string{"redis.existingSecret"}},
	"two redis":                {values{"redis": values{"existingSecret": "s", "connectionString": "r"}}, []string{"got both"}},
	"an unknown delivery":      {values{"redis": secret, "delivery": "twice"}, []string{"delivery"}},
	"an unknown value":         {values{"redis": secret, "replicas": 2}, []string{"replicas"}},
	"an unknown section":       {values{"redis": secret, "settings": values{"Metric": values{"MaxSeries": 1}}}, []string{"settings"}},
	"a queue nobody reaches":   {values{"redis": values{"connectionString": "embedded,password=p"}}, []string{"embedded.enabled=true"}},
	"a queue for all, unasked": {values{"embedded": values{"enabled": true}}, []string{"embedded.allowUnauthenticated"}},
	"its own queue, exactly once": {
		values{"redis": secret, "embedded": values{"enabled": true}, "delivery": "exactly-once"}, []string{"needs a Redis"},
	},
	"a password for no redis": {
		values{"redis": values{"existingSecret": "s", "passwordSecret": "p"}, "embedded": values{"enabled": true}}, []string{"are for a Redis"},
	},
	// It would leave the pods, their number and their probes those of the other delivery.
	"delivery as a setting": {
		values{"redis": secret, "settings": values{"Redis": values{"delivery": "exactly-once"}}}, []string{"use delivery"},
	},
	"partitions, at most once": {values{"redis": secret, "partitions": 3}, []string{"delivery=exactly-once"}},
	"partitions as a setting": {
		values{"redis": secret, "delivery": "exactly-once", "settings": values{"Redis.MetricQueuePartitions": 3}}, []string{"use partitions"},
	},
	"a state file as a setting": {values{"redis": secret, "settings": values{"Metrics.StateFile": "/x"}}, []string{"use state.enabled"}},
	"tls without a certificate": {values{"redis": secret, "http": values{"scheme": "https"}}, []string{"http.configSecret"}},
	"a password nobody asks for": {
		values{"redis": secret, "podMonitor": values{"enabled": true, "basicAuth": values{"username": values{"name": "n", "key": "k"}}}},
		[]string{"http.configSecret"},
	},
}
