package rest

// entry is one row of the route table. The path hangs under /api/<version> and /ajax-api/<version>; all of version 2.0 answers under
// /api/2.0/preview too, as it did in MLflow 1.x.
type entry struct {
	method, version, path string
	op                    operation
	// ajax means that only /ajax-api has it; old that only 1.x and 2.x servers had it.
	ajax, old bool
}

func (e entry) prefixes() []string {
	if e.ajax {
		return []string{"/ajax-api/" + e.version}
	}
	out := []string{"/api/" + e.version, "/ajax-api/" + e.version}
	if e.version == "2.0" {
		out = append(out, "/api/2.0/preview", "/ajax-api/2.0/preview")
	}
	return out
}

// table holds every call that is served. To add one: a row here, a request struct, an operation.
var table = []entry{
	{method: "POST", version: "2.0", path: "/mlflow/experiments/create", op: rpc((*API).createExperiment)},
	{method: "GET", version: "2.0", path: "/mlflow/experiments/get", op: rpc((*API).getExperiment)},
	{method: "GET", version: "2.0", path: "/mlflow/experiments/get-by-name", op: rpc((*API).getExperimentByName)},
	{method: "POST", version: "2.0", path: "/mlflow/experiments/search", op: rpc((*API).searchExperiments)},
	{method: "GET", version: "2.0", path: "/mlflow/experiments/search", op: rpc((*API).searchExperiments)},
	{method: "GET", version: "2.0", path: "/mlflow/experiments/list", op: rpc((*API).listExperiments), old: true},
	{method: "POST", version: "2.0", path: "/mlflow/experiments/update", op: do((*API).updateExperiment)},
	{method: "POST", version: "2.0", path: "/mlflow/experiments/delete", op: do((*API).deleteExperiment)},
	{method: "POST", version: "2.0", path: "/mlflow/experiments/restore", op: do((*API).restoreExperiment)},
	{method: "POST", version: "2.0", path: "/mlflow/experiments/set-experiment-tag", op: do((*API).setExperimentTag)},
	{method: "POST", version: "2.0", path: "/mlflow/experiments/delete-experiment-tag", op: do((*API).deleteExperimentTag)},

	{method: "POST", version: "2.0", path: "/mlflow/runs/create", op: rpc((*API).createRun)},
	{method: "GET", version: "2.0", path: "/mlflow/runs/get", op: rpc((*API).getRun)},
	{method: "POST", version: "2.0", path: "/mlflow/runs/update", op: rpc((*API).updateRun)},
	{method: "POST", version: "2.0", path: "/mlflow/runs/delete", op: do((*API).deleteRun)},
	{method: "POST", version: "2.0", path: "/mlflow/runs/restore", op: do((*API).restoreRun)},
	{method: "POST", version: "2.0", path: "/mlflow/runs/search", op: rpc((*API).searchRuns)},
	{method: "POST", version: "2.0", path: "/mlflow/runs/log-metric", op: do((*API).logMetric)},
	{method: "POST", version: "2.0", path: "/mlflow/runs/log-parameter", op: do((*API).logParameter)},
	{method: "POST", version: "2.0", path: "/mlflow/runs/log-batch", op: do((*API).logBatch)},
	{method: "POST", version: "2.0", path: "/mlflow/runs/log-model", op: do((*API).logModel)},
	{method: "POST", version: "2.0", path: "/mlflow/runs/log-inputs", op: do((*API).logInputs)},
	{method: "POST", version: "2.0", path: "/mlflow/runs/outputs", op: do((*API).logOutputs)},
	{method: "POST", version: "2.0", path: "/mlflow/runs/set-tag", op: do((*API).setTag)},
	{method: "POST", version: "2.0", path: "/mlflow/runs/delete-tag", op: do((*API).deleteTag)},
	{method: "GET", version: "2.0", path: "/mlflow/metrics/get-history", op: rpc((*API).metricHistory)},
	{method: "GET", version: "2.0", path: "/mlflow/metrics/get-history-bulk", op: rpc((*API).bulkMetricHistory), ajax: true},
	{method: "GET", version: "2.0", path: "/mlflow/metrics/get-history-bulk-interval", op: rpc((*API).sampledMetricHistory)},
	{method: "POST", version: "2.0", path: "/mlflow/experiments/search-datasets", op: rpc((*API).searchDatasets), ajax: true},
	{method: "GET", version: "2.0", path: "/mlflow/artifacts/list", op: rpc((*API).listArtifacts)},

	{method: "POST", version: "2.0", path: "/mlflow/logged-models", op: rpc((*API).createLoggedModel)},
	{method: "POST", version: "2.0", path: "/mlflow/logged-models/search", op: rpc((*API).searchLoggedModels)},
	{method: "GET", version: "2.0", path: "/mlflow/logged-models/{model_id}", op: rpc((*API).getLoggedModel)},
	{method: "PATCH", version: "2.0", path: "/mlflow/logged-models/{model_id}", op: rpc((*API).finalizeLoggedModel)},
	{method: "DELETE", version: "2.0", path: "/mlflow/logged-models/{model_id}", op: do((*API).deleteLoggedModel)},
	{method: "PATCH", version: "2.0", path: "/mlflow/logged-models/{model_id}/tags", op: do((*API).setLoggedModelTags)},
	{method: "DELETE", version: "2.0", path: "/mlflow/logged-models/{model_id}/tags/{tag_key}", op: do((*API).deleteLoggedModelTag)},
	{method: "POST", version: "2.0", path: "/mlflow/logged-models/{model_id}/params", op: do((*API).logLoggedModelParams)},
	{method: "GET", version: "2.0", path: "/mlflow/logged-models/{model_id}/artifacts/directories", op: rpc((*API).listLoggedModelArtifacts)},

	{method: "POST", version: "2.0", path: "/mlflow/registered-models/create", op: rpc((*API).createRegisteredModel)},
	{method: "GET", version: "2.0", path: "/mlflow/registered-models/get", op: rpc((*API).getRegisteredModel)},
	{method: "GET", version: "2.0", path: "/mlflow/registered-models/list", op: rpc((*API).listRegisteredModels), old: true},
	{method: "GET", version: "2.0", path: "/mlflow/registered-models/search", op: rpc((*API).searchRegisteredModels)},
	{method: "PATCH", version: "2.0", path: "/mlflow/registered-models/update", op: rpc((*API).updateRegisteredModel)},
	{method: "POST", version: "2.0", path: "/mlflow/registered-models/rename", op: rpc((*API).renameRegisteredModel)},
	{method: "DELETE", version: "2.0", path: "/mlflow/registered-models/delete", op: do((*API).deleteRegisteredModel)},
	{method: "GET", version: "2.0", path: "/mlflow/registered-models/get-latest-versions", op: rpc((*API).getLatestVersions)},
	{method: "POST", version: "2.0", path: "/mlflow/registered-models/get-latest-versions", op: rpc((*API).getLatestVersions)},
	{method: "POST", version: "2.0", path: "/mlflow/registered-models/set-tag", op: do((*API).setRegisteredModelTag)},
	{method: "DELETE", version: "2.0", path: "/mlflow/registered-models/delete-tag", op: do((*API).deleteRegisteredModelTag)},
	{method: "POST", version: "2.0", path: "/mlflow/registered-models/alias", op: do((*API).setAlias)},
	{method: "GET", version: "2.0", path: "/mlflow/registered-models/alias", op: rpc((*API).getByAlias)},
	{method: "DELETE", version: "2.0", path: "/mlflow/registered-models/alias", op: do((*API).deleteAlias)},

	{method: "POST", version: "2.0", path: "/mlflow/model-versions/create", op: rpc((*API).createModelVersion)},
	{method: "GET", version: "2.0", path: "/mlflow/model-versions/get", op: rpc((*API).getModelVersion)},
	{method: "GET", version: "2.0", path: "/mlflow/model-versions/search", op: rpc((*API).searchModelVersions)},
	{method: "PATCH", version: "2.0", path: "/mlflow/model-versions/update", op: rpc((*API).updateModelVersion)},
	{method: "POST", version: "2.0", path: "/mlflow/model-versions/transition-stage", op: rpc((*API).transitionModelVersion)},
	{method: "DELETE", version: "2.0", path: "/mlflow/model-versions/delete", op: do((*API).deleteModelVersion)},
	{method: "GET", version: "2.0", path: "/mlflow/model-versions/get-download-uri", op: rpc((*API).getDownloadURI)},
	{method: "POST", version: "2.0", path: "/mlflow/model-versions/set-tag", op: do((*API).setModelVersionTag)},
	{method: "DELETE", version: "2.0", path: "/mlflow/model-versions/delete-tag", op: do((*API).deleteModelVersionTag)},

	{method: "POST", version: "3.0", path: "/mlflow/datasets/create", op: rpc((*API).createEvaluationDataset)},
	{method: "POST", version: "3.0", path: "/mlflow/datasets/search", op: rpc((*API).searchEvaluationDatasets)},
	{method: "GET", version: "3.0", path: "/mlflow/datasets/search", op: rpc((*API).searchEvaluationDatasets)},
	{method: "GET", version: "3.0", path: "/mlflow/datasets/{dataset_id}", op: rpc((*API).getEvaluationDataset)},
	{method: "DELETE", version: "3.0", path: "/mlflow/datasets/{dataset_id}", op: do((*API).deleteEvaluationDataset)},
	{method: "PATCH", version: "3.0", path: "/mlflow/datasets/{dataset_id}/tags", op: do((*API).setEvaluationDatasetTags)},
	{method: "DELETE", version: "3.0", path: "/mlflow/datasets/{dataset_id}/tags/{key}", op: do((*API).deleteEvaluationDatasetTag)},
	{method: "POST", version: "3.0", path: "/mlflow/datasets/{dataset_id}/records", op: rpc((*API).upsertRecords)},
	{method: "GET", version: "3.0", path: "/mlflow/datasets/{dataset_id}/records", op: rpc((*API).getRecords)},
	{method: "DELETE", version: "3.0", path: "/mlflow/datasets/{dataset_id}/records", op: rpc((*API).deleteRecords)},
	{method: "GET", version: "3.0", path: "/mlflow/datasets/{dataset_id}/experiment-ids", op: rpc((*API).getDatasetExperiments)},
	{method: "POST", version: "3.0", path: "/mlflow/datasets/{dataset_id}/add-experiments", op: rpc((*API).addDatasetExperiments)},
	{method: "POST", version: "3.0", path: "/mlflow/datasets/{dataset_id}/remove-experiments", op: rpc((*API).removeDatasetExperiments)},

	{method: "POST", version: "3.0", path: "/mlflow/scorers/register", op: rpc((*API).registerScorer)},
	{method: "GET", version: "3.0", path: "/mlflow/scorers/list", op: rpc((*API).listScorers)},
	{method: "GET", version: "3.0", path: "/mlflow/scorers/versions", op: rpc((*API).listScorerVersions)},
	{method: "GET", version: "3.0", path: "/mlflow/scorers/get", op: rpc((*API).getScorer)},
	{method: "DELETE", version: "3.0", path: "/mlflow/scorers/delete", op: do((*API).deleteScorer)},

	{method: "POST", version: "2.0", path: "/mlflow/webhooks", op: rpc((*API).createWebhook)},
	{method: "GET", version: "2.0", path: "/mlflow/webhooks", op: rpc((*API).listWebhooks)},
	{method: "GET", version: "2.0", path: "/mlflow/webhooks/{webhook_id}", op: rpc((*API).getWebhook)},
	{method: "PATCH", version: "2.0", path: "/mlflow/webhooks/{webhook_id}", op: rpc((*API).updateWebhook)},
	{method: "DELETE", version: "2.0", path: "/mlflow/webhooks/{webhook_id}", op: do((*API).deleteWebhook)},
	{method: "POST", version: "2.0", path: "/mlflow/webhooks/{webhook_id}/test", op: rpc((*API).testWebhook)},

	{method: "GET", version: "3.0", path: "/mlflow/server-info", op: (*API).serverInfo},

	{method: "POST", version: "2.0", path: "/mlflow/upload-artifact", op: (*API).uploadArtifact, ajax: true},
	{method: "GET", version: "2.0", path: "/mlflow/logged-models/{model_id}/artifacts/files", op: (*API).getLoggedModelFile, ajax: true},
	{method: "POST", version: "2.0", path: "/mlflow/artifacts/presigned-upload-url", op: (*API).presignUpload},
	{method: "POST", version: "2.0", path: "/mlflow/artifacts/presigned-download-url", op: (*API).presignDownload},
	{method: "POST", version: "2.0", path: "/mlflow/runs/create-promptlab-run", op: (*API).createPromptLabRun, ajax: true},

	{method: "GET", version: "3.0", path: "/mlflow/ui-telemetry", op: rpc((*API).uiTelemetry), ajax: true},
	{method: "POST", version: "3.0", path: "/mlflow/ui-telemetry", op: rpc((*API).dropUITelemetry), ajax: true},
	{method: "GET", version: "2.0", path: "/mlflow/gateway-proxy", op: rpc((*API).gatewayProxy), ajax: true},
	{method: "POST", version: "2.0", path: "/mlflow/gateway-proxy", op: rpc((*API).gatewayProxy), ajax: true},
	{method: "GET", version: "3.0", path: "/mlflow/gateway/supported-providers", op: rpc((*API).gatewayProviders), ajax: true},
	{method: "GET", version: "3.0", path: "/mlflow/gateway/supported-models", op: rpc((*API).gatewayModels), ajax: true},
	{method: "GET", version: "3.0", path: "/mlflow/gateway/secrets/config", op: rpc((*API).gatewaySecretsConfig), ajax: true},
	{method: "GET", version: "3.0", path: "/mlflow/gateway/secrets/list", op: rpc((*API).nothing)},
	{method: "GET", version: "3.0", path: "/mlflow/gateway/endpoints/list", op: rpc((*API).nothing)},
	{method: "GET", version: "3.0", path: "/mlflow/gateway/endpoints/bindings/list", op: rpc((*API).nothing)},
	{method: "GET", version: "3.0", path: "/mlflow/gateway/model-definitions/list", op: rpc((*API).nothing)},
	{method: "GET", version: "3.0", path: "/mlflow/gateway/budgets/list", op: rpc((*API).nothing)},
	{method: "GET", version: "3.0", path: "/mlflow/gateway/budgets/windows", op: rpc((*API).nothing)},
	{method: "GET", version: "3.0", path: "/mlflow/gateway/guardrails/list", op: rpc((*API).nothing)},
	{method: "GET", version: "3.0", path: "/mlflow/label-schemas/list", op: rpc((*API).nothingOfExperiment)},
	{method: "GET", version: "3.0", path: "/mlflow/review-queues/list", op: rpc((*API).nothingOfExperiment)},
	{method: "POST", version: "3.0", path: "/mlflow/issues/search", op: rpc((*API).noIssues)},
	{method: "POST", version: "3.0", path: "/mlflow/prompt-optimization/jobs/search", op: rpc((*API).noOptimizationJobs)},
	{method: "GET", version: "3.0", path: "/mlflow/prompt-optimization/jobs/search", op: rpc((*API).noOptimizationJobs)},
	{method: "GET", version: "3.0", path: "/mlflow/scorers/online-configs", op: rpc((*API).scorerConfigs)},
	{method: "POST", version: "3.0", path: "/mlflow/traces/metrics", op: rpc((*API).traceMetrics)},
	{method: "GET", version: "3.0", path: "/mlflow/mcp-servers", op: rpc((*API).mcpServers)},
	{method: "GET", version: "3.0", path: "/mlflow/mcp-servers/endpoints", op: rpc((*API).mcpEndpoints)},
	{method: "GET", version: "3.0", path: "/mlflow/assistant/config", op: rpc((*API).assistantConfig), ajax: true},
	{method: "GET", version: "3.0", path: "/mlflow/assistant/providers", op: rpc((*API).assistantProviders), ajax: true},

	{method: "POST", version: "3.0", path: "/mlflow/traces", op: rpc((*API).startTrace)},
	{method: "GET", version: "3.0", path: "/mlflow/traces/get", op: rpc((*API).getTrace)},
	{method: "GET", version: "3.0", path: "/mlflow/traces/batchGet", op: rpc((*API).getTraces)},
	{method: "POST", version: "3.0", path: "/mlflow/traces/batchGetInfos", op: rpc((*API).getTraceInfos)},
	{method: "POST", version: "3.0", path: "/mlflow/traces/search", op: rpc((*API).searchTraces)},
	{method: "POST", version: "3.0", path: "/mlflow/traces/delete-traces", op: rpc((*API).deleteTraces)},
	{method: "POST", version: "3.0", path: "/mlflow/traces/calculate-filter-correlation", op: rpc((*API).correlateTraces)},
	{method: "GET", version: "3.0", path: "/mlflow/traces/{trace_id}", op: rpc((*API).getTraceInfo)},
	{method: "PATCH", version: "3.0", path: "/mlflow/traces/{trace_id}/tags", op: do((*API).setTraceTag)},
	{method: "DELETE", version: "3.0", path: "/mlflow/traces/{trace_id}/tags", op: do((*API).deleteTraceTag)},
	{method: "POST", version: "3.0", path: "/mlflow/traces/{assessment.trace_id}/assessments", op: rpc((*API).createAssessment)},
	{method: "GET", version: "3.0", path: "/mlflow/traces/{trace_id}/assessments/{assessment_id}", op: rpc((*API).getAssessment)},
	{method: "PATCH", version: "3.0", path: "/mlflow/traces/{trace_id}/assessments/{assessment_id}", op: rpc((*API).updateAssessment)},
	{method: "DELETE", version: "3.0", path: "/mlflow/traces/{trace_id}/assessments/{assessment_id}", op: do((*API).deleteAssessment)},
	{method: "POST", version: "2.0", path: "/mlflow/traces", op: rpc((*API).startTraceV2)},
	{method: "GET", version: "2.0", path: "/mlflow/traces", op: rpc((*API).searchTracesV2)},
	{method: "PATCH", version: "2.0", path: "/mlflow/traces/{request_id}", op: rpc((*API).endTraceV2)},
	{method: "GET", version: "2.0", path: "/mlflow/traces/{request_id}/info", op: rpc((*API).getTraceInfoV2)},
	{method: "PATCH", version: "2.0", path: "/mlflow/traces/{request_id}/tags", op: do((*API).setTraceTag)},
	{method: "DELETE", version: "2.0", path: "/mlflow/traces/{request_id}/tags", op: do((*API).deleteTraceTag)},
	{method: "POST", version: "2.0", path: "/mlflow/traces/delete-traces", op: rpc((*API).deleteTraces)},
	{method: "POST", version: "2.0", path: "/mlflow/traces/link-to-run", op: do((*API).linkTraces)},
	{method: "POST", version: "2.0", path: "/mlflow/traces/link-prompts", op: do((*API).linkPrompts)},
}
