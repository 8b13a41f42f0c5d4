{{- define "jk.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /* Of what is not in a namespace: two releases never share one. */ -}}
{{- define "jk.clusterName" -}}
{{- printf "jupyter-kubeflow:%s:%s" .Release.Namespace (include "jk.name" .) -}}
{{- end -}}

{{- define "jk.secret" -}}
{{- .Values.hub.existingSecret | default (printf "%s-hub" (include "jk.name" .)) -}}
{{- end -}}

{{- /* "/" or "/path/" */ -}}
{{- define "jk.baseUrl" -}}
{{- $path := .Values.hub.baseUrl | trimAll "/" -}}
{{- if $path -}}/{{ $path }}/{{- else -}}/{{- end -}}
{{- end -}}

{{- define "jk.hubUrl" -}}
http://{{ include "jk.name" . }}-hub.{{ .Release.Namespace }}.svc:8081
{{- end -}}

{{- define "jk.proxyUrl" -}}
http://{{ include "jk.name" . }}-proxy.{{ .Release.Namespace }}.svc:{{ .Values.proxy.service.port }}
{{- end -}}

{{- /* Called with the root and a part: (list . "hub") */ -}}
{{- define "jk.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: jupyter-kubeflow
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "jk.labels" -}}
{{- $root := index . 0 -}}
{{ include "jk.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{- define "jk.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "jk.name" $root }}-{{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "jk.labels" . | nindent 2 }}
{{- end -}}

{{- define "jk.podLabels" -}}
{{- $root := index . 0 -}}
{{ include "jk.labels" . }}
{{- if $root.Values.istio.enabled }}
sidecar.istio.io/inject: "true"
{{- end }}
{{- with $root.Values.pods.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
