{{- define "gateway.name" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains "prom-stream-gateway" .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-prom-stream-gateway" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "gateway.selector" -}}
app.kubernetes.io/name: prom-stream-gateway
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "gateway.labels" -}}
{{ include "gateway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "gateway.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "gateway.name" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* Whether delivery is exactly once: "yes", or nothing. */}}
{{- define "gateway.once" -}}
{{- if eq .Values.delivery "exactly-once" -}}yes{{- end -}}
{{- end -}}

{{/* Whether there is a state file: "yes", or nothing. */}}
{{- define "gateway.state" -}}
{{- if and .Values.state.enabled (not (include "gateway.once" .)) -}}yes{{- end -}}
{{- end -}}

{{/* The settings as a map from Section.Key to text: nested ones, then those that
     are written in one word. */}}
{{- define "gateway.settings" -}}
{{- $all := dict -}}
{{- range $section, $value := .Values.settings -}}
  {{- if kindIs "map" $value -}}
    {{- range $key, $inner := $value -}}
      {{- $_ := set $all (printf "%s.%s" $section $key) $inner -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- range $name, $value := .Values.settings -}}
  {{- if not (kindIs "map" $value) -}}
    {{- $_ := set $all $name $value -}}
  {{- end -}}
{{- end -}}
{{- $texts := dict -}}
{{- range $name, $value := $all -}}
  {{- if kindIs "float64" $value -}}
    {{- $_ := set $texts $name (printf "%d" ($value | int64)) -}}
  {{- else if not (kindIs "invalid" $value) -}}
    {{- $_ := set $texts $name (toString $value) -}}
  {{- end -}}
{{- end -}}
{{- toYaml $texts -}}
{{- end -}}

{{/* Names by which browsers may reach it: those that the cluster gives to the
     Service and its pods, and the operator's own. */}}
{{- define "gateway.hosts" -}}
{{- $name := printf "%s.%s.svc" (include "gateway.name" .) .Release.Namespace -}}
{{- $hosts := list $name (printf "%s.cluster.local" $name) -}}
{{- if include "gateway.once" . -}}
{{- $hosts = concat $hosts (list (printf "*.%s" $name) (printf "*.%s.cluster.local" $name)) -}}
{{- end -}}
{{- join "," (concat $hosts .Values.http.allowedHosts) -}}
{{- end -}}

{{/* How long a stop may take: what is taken is applied (at most once), or a last
     checkpoint is written (exactly once), beside the time of lingering. */}}
{{- define "gateway.grace" -}}
{{- if .Values.terminationGracePeriodSeconds -}}
{{- .Values.terminationGracePeriodSeconds | int64 -}}
{{- else -}}
{{- $linger := get (include "gateway.settings" . | fromYaml) "Http.ShutdownLingerSeconds" | default 0 | int64 -}}
{{- add $linger (ternary 90 15 (eq .Values.delivery "exactly-once")) -}}
{{- end -}}
{{- end -}}

{{/* Values that contradict each other end the rendering, with what to do. */}}
{{- define "gateway.check" -}}
{{- $redis := .Values.redis -}}
{{- if not (or $redis.existingSecret $redis.connectionString .Values.settingsSecret .Values.embedded.enabled) -}}
{{- fail "expected redis.existingSecret or redis.connectionString, got neither" -}}
{{- end -}}
{{- if and $redis.existingSecret $redis.connectionString -}}
{{- fail "expected redis.existingSecret or redis.connectionString, got both" -}}
{{- end -}}
{{- if and (regexMatch "(?i)^\\s*embedded\\s*(,|$)" $redis.connectionString) (not .Values.embedded.enabled) -}}
{{- fail "redis.connectionString=embedded alone has a queue that nobody can reach: set embedded.enabled=true" -}}
{{- end -}}
{{- if and $redis.tlsCa.secret $redis.tlsCa.configMap -}}
{{- fail "expected redis.tlsCa.secret or redis.tlsCa.configMap, got both" -}}
{{- end -}}
{{- if and (or $redis.passwordSecret $redis.tlsClientSecret $redis.tlsCa.secret $redis.tlsCa.configMap) .Values.embedded.enabled -}}
{{- fail "redis.passwordSecret, redis.tlsCa and redis.tlsClientSecret are for a Redis, which embedded.enabled does without" -}}
{{- end -}}
{{- if and .Values.embedded.tlsSecret (not .Values.embedded.enabled) -}}
{{- fail "embedded.tlsSecret needs embedded.enabled" -}}
{{- end -}}
{{- if .Values.embedded.enabled -}}
  {{- if include "gateway.once" . -}}
  {{- fail "exactly-once delivery needs a Redis: expected delivery=at-most-once with embedded.enabled" -}}
  {{- end -}}
  {{- if and $redis.connectionString (not (regexMatch "(?i)^\\s*embedded\\s*(,|$)" $redis.connectionString)) -}}
  {{- fail "expected redis.connectionString to begin with embedded, since embedded.enabled is true" -}}
  {{- end -}}
  {{- $known := or $redis.existingSecret .Values.settingsSecret (contains "password=" $redis.connectionString) -}}
  {{- if not (or $known .Values.embedded.allowUnauthenticated) -}}
  {{- fail "expected a password of the embedded queue (embedded,password=… in redis.existingSecret), or embedded.allowUnauthenticated=true" -}}
  {{- end -}}
{{- end -}}
{{- if and (gt (int .Values.partitions) 1) (not (include "gateway.once" .)) -}}
{{- fail "partitions need delivery=exactly-once" -}}
{{- end -}}
{{- if and (eq .Values.http.scheme "https") (not .Values.http.configSecret) -}}
{{- fail "http.scheme=https needs http.configSecret with a certificate" -}}
{{- end -}}
{{- if and .Values.podMonitor.enabled (or .Values.podMonitor.basicAuth .Values.podMonitor.tlsConfig) (not .Values.http.configSecret) -}}
{{- fail "podMonitor.basicAuth and podMonitor.tlsConfig need http.configSecret, which asks for them" -}}
{{- end -}}
{{- $own := dict
  "Redis.ConnectionString" "redis.existingSecret or redis.connectionString"
  "Redis.Delivery" "delivery"
  "Redis.MetricQueuePartitions" "partitions"
  "Redis.TlsCaFile" "redis.tlsCa"
  "Redis.TlsCertificateFile" "redis.tlsClientSecret"
  "Redis.TlsKeyFile" "redis.tlsClientSecret"
  "Redis.PasswordFile" "redis.passwordSecret"
  "Metrics.StateFile" "state.enabled"
  "Http.ListenAddress" "service.port"
  "Http.ConfigFile" "http.configSecret"
  "Http.AllowedHosts" "http.allowedHosts"
  "Http.ExemptHealthEndpoints" "http.configSecret"
  "Embedded.ListenAddress" "embedded.enabled"
  "Embedded.TlsCertificateFile" "embedded.tlsSecret"
  "Embedded.TlsKeyFile" "embedded.tlsSecret"
  "Embedded.AllowUnauthenticated" "embedded.allowUnauthenticated"
-}}
{{- $given := include "gateway.settings" . | fromYaml -}}
{{- range $name, $value := $own -}}
  {{- range $setting, $_ := $given -}}
    {{- if eq (lower $setting) (lower $name) -}}
    {{- fail (printf "settings.%s is the chart's to set: use %s" $setting $value) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}
