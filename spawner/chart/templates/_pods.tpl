{{- /* What the pods of the chart have in common. */ -}}
{{- define "jk.podSpec" -}}
{{- $pods := .Values.pods -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  {{- if .Values.security.fixedIds }}
  runAsUser: {{ .Values.security.uid }}
  runAsGroup: {{ .Values.security.uid }}
  fsGroup: {{ .Values.security.uid }}
  fsGroupChangePolicy: OnRootMismatch
  {{- end }}
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $pods.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $pods.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $pods.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $pods.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "jk.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* A variable from the Secret: (list . "NAME" "key") */ -}}
{{- define "jk.secretVariable" -}}
- name: {{ index . 1 }}
  valueFrom:
    secretKeyRef: {name: {{ include "jk.secret" (index . 0) }}, key: {{ index . 2 }}}
{{- end -}}

{{- define "jk.identityClass" -}}
spawner.hub.gateway.GatewayAuthenticator
{{- end -}}

{{- /* What cannot be installed, in words. */ -}}
{{- define "jk.check" -}}
{{- if not .Values.image -}}
{{- fail "image: name the image that binder/Dockerfile makes, with its tag: --set image=registry.example.org/jupyter-kubeflow:0.1.0" -}}
{{- end -}}
{{- if not .Values.authentication.class -}}
{{- fail "authentication.class: say who may sign in, such as generic-oauth; \"dummy\" lets everybody be anybody" -}}
{{- end -}}
{{- if and (eq .Values.authentication.class (include "jk.identityClass" .)) (not .Values.istio.enabled) -}}
{{- fail "authentication.class: GatewayAuthenticator believes a header, which is safe only where a mesh lets nobody else send it: istio.enabled must be true" -}}
{{- end -}}
{{- if ne (empty .Values.hub.database.urlSecret.name) (empty .Values.hub.database.urlSecret.key) -}}
{{- fail "hub.database.urlSecret: give both, name and key" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs: name the Gateway that the route is for" -}}
{{- end -}}
{{- end -}}
