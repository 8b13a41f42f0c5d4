"""The addresses of Kubeflow Pipelines' REST interface, each with the operation of upstream's description that it is."""

from __future__ import annotations

from typing import NamedTuple

API = "/apis/v2beta1"


class Route(NamedTuple):
    method: str
    pattern: str
    operation: str
    answer: str
    body: str = ""


_RUN, _PIPELINE, _RECURRING, _EXPERIMENT = (
    f"{name}ServiceApi" for name in ("Run", "Pipeline", "RecurringRun", "Experiment")
)
ROUTES = (
    Route("GET", "/healthz", "HealthzServiceApi.healthz_service_get_healthz", "V2beta1GetHealthzResponse"),
    Route("GET", "/experiments", f"{_EXPERIMENT}.experiment_service_list_experiments", "V2beta1ListExperimentsResponse"),
    Route("POST", "/experiments", f"{_EXPERIMENT}.experiment_service_create_experiment", "V2beta1Experiment", "V2beta1Experiment"),
    Route("GET", "/experiments/(?P<experiment_id>[^/:]+)", f"{_EXPERIMENT}.experiment_service_get_experiment", "V2beta1Experiment"),
    Route("GET", "/runs", f"{_RUN}.run_service_list_runs", "V2beta1ListRunsResponse"),
    Route("POST", "/runs", f"{_RUN}.run_service_create_run", "V2beta1Run", "V2beta1Run"),
    Route("GET", "/runs/(?P<run_id>[^/:]+)", f"{_RUN}.run_service_get_run", "V2beta1Run"),
    Route("DELETE", "/runs/(?P<run_id>[^/:]+)", f"{_RUN}.run_service_delete_run", "object"),
    Route("POST", "/runs/(?P<run_id>[^/:]+):terminate", f"{_RUN}.run_service_terminate_run", "object"),
    Route("POST", "/runs/(?P<run_id>[^/:]+):retry", f"{_RUN}.run_service_retry_run", "object"),
    Route("POST", "/runs/(?P<run_id>[^/:]+):archive", f"{_RUN}.run_service_archive_run", "object"),
    Route("GET", "/pipelines", f"{_PIPELINE}.pipeline_service_list_pipelines", "V2beta1ListPipelinesResponse"),
    Route("POST", "/pipelines/upload", "PipelineUploadServiceApi.upload_pipeline", "V2beta1Pipeline"),
    Route("POST", "/pipelines/upload_version", "PipelineUploadServiceApi.upload_pipeline_version", "V2beta1PipelineVersion"),
    Route("GET", "/pipelines/names/(?P<name>[^/]+)", f"{_PIPELINE}.pipeline_service_get_pipeline_by_name", "V2beta1Pipeline"),
    Route("DELETE", "/pipelines/(?P<pipeline_id>[^/:]+)", f"{_PIPELINE}.pipeline_service_delete_pipeline", "object"),
    Route("GET", "/pipelines/(?P<pipeline_id>[^/:]+)/versions", f"{_PIPELINE}.pipeline_service_list_pipeline_versions", "V2beta1ListPipelineVersionsResponse"),
    Route("DELETE", "/pipelines/(?P<pipeline_id>[^/:]+)/versions/(?P<pipeline_version_id>[^/:]+)", f"{_PIPELINE}.pipeline_service_delete_pipeline_version", "object"),
    Route("GET", "/recurringruns", f"{_RECURRING}.recurring_run_service_list_recurring_runs", "V2beta1ListRecurringRunsResponse"),
    Route("POST", "/recurringruns", f"{_RECURRING}.recurring_run_service_create_recurring_run", "V2beta1RecurringRun", "V2beta1RecurringRun"),
    Route("GET", "/recurringruns/(?P<recurring_run_id>[^/:]+)", f"{_RECURRING}.recurring_run_service_get_recurring_run", "V2beta1RecurringRun"),
    Route("DELETE", "/recurringruns/(?P<recurring_run_id>[^/:]+)", f"{_RECURRING}.recurring_run_service_delete_recurring_run", "object"),
    Route("POST", "/recurringruns/(?P<recurring_run_id>[^/:]+):(?P<verb>enable|disable)", f"{_RECURRING}.recurring_run_service_enable_recurring_run", "object"),
)  # fmt: skip
