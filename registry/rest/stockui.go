package rest

import "context"

// These calls are made by the pages of MLflow's own UI alone. What they ask about is not here, and they are told so as a server of MLflow on
// which nothing is configured tells them: with empty lists. The calls that would change something are in notYet.

type uiTelemetry struct {
	Disabled       bool     `json:"disable_ui_telemetry"`
	DisabledEvents []string `json:"disable_ui_events"`
	Rollout        int      `json:"ui_rollout_percentage"`
}

// uiTelemetry says that the UI must send nothing anywhere.
func (a *API) uiTelemetry(context.Context, *struct{}) (uiTelemetry, error) {
	return uiTelemetry{Disabled: true, DisabledEvents: []string{}}, nil
}

type uiTelemetryStatus struct {
	Status string `json:"status"`
}

// dropUITelemetry forgets what an older page sends all the same.
func (a *API) dropUITelemetry(context.Context, *struct{}) (uiTelemetryStatus, error) {
	return uiTelemetryStatus{"disabled"}, nil
}

type gatewayEndpoints struct {
	Endpoints []struct{} `json:"endpoints"`
}

// gatewayProxy answers as MLflow does when no deployments server is configured.
func (a *API) gatewayProxy(context.Context, *struct{}) (gatewayEndpoints, error) {
	return gatewayEndpoints{[]struct{}{}}, nil
}

type gatewayProviders struct {
	Providers []string `json:"providers"`
}

func (a *API) gatewayProviders(context.Context, *struct{}) (gatewayProviders, error) {
	return gatewayProviders{[]string{}}, nil
}

type gatewayModels struct {
	Models []struct{} `json:"models"`
}

func (a *API) gatewayModels(context.Context, *struct{}) (gatewayModels, error) {
	return gatewayModels{[]struct{}{}}, nil
}

type gatewaySecretsConfig struct {
	Available         bool `json:"secrets_available"`
	DefaultPassphrase bool `json:"using_default_passphrase"`
}

func (a *API) gatewaySecretsConfig(context.Context, *struct{}) (gatewaySecretsConfig, error) {
	return gatewaySecretsConfig{}, nil
}

type assistantConfig struct {
	Providers    struct{} `json:"providers"`
	Projects     struct{} `json:"projects"`
	RemoteAccess bool     `json:"remote_access_allowed"`
}

func (a *API) assistantConfig(context.Context, *struct{}) (assistantConfig, error) {
	return assistantConfig{}, nil
}

type assistantProviders struct {
	Providers []struct{} `json:"providers"`
}

func (a *API) assistantProviders(context.Context, *struct{}) (assistantProviders, error) {
	return assistantProviders{[]struct{}{}}, nil
}

type mcpServers struct {
	Servers       []struct{} `json:"mcp_servers"`
	NextPageToken *string    `json:"next_page_token"`
}

func (a *API) mcpServers(context.Context, *struct{}) (mcpServers, error) {
	return mcpServers{Servers: []struct{}{}}, nil
}

type mcpEndpoints struct {
	Endpoints     []struct{} `json:"mcp_access_endpoints"`
	NextPageToken *string    `json:"next_page_token"`
}

func (a *API) mcpEndpoints(context.Context, *struct{}) (mcpEndpoints, error) {
	return mcpEndpoints{Endpoints: []struct{}{}}, nil
}

// nothing is the answer of a list that is always empty.
func (a *API) nothing(context.Context, *struct{}) (struct{}, error) { return struct{}{}, nil }

type emptyPage struct {
	NextPageToken string `json:"next_page_token"`
}

type optionalExperiment struct {
	ExperimentID string `json:"experiment_id"`
}

// noIssues, and the lists below: this kind of page keeps its empty token.
func (a *API) noIssues(context.Context, *optionalExperiment) (emptyPage, error) {
	return emptyPage{}, nil
}

type ofExperiment struct {
	ExperimentID string `json:"experiment_id" req:"true"`
}

func (a *API) nothingOfExperiment(ctx context.Context, r *ofExperiment) (emptyPage, error) {
	_, err := a.Experiment(ctx, r.ExperimentID)
	return emptyPage{}, err
}

func (a *API) noOptimizationJobs(context.Context, *ofExperiment) (struct{}, error) {
	return struct{}{}, nil
}

type scorerConfigsRequest struct {
	ScorerIDs []string `json:"scorer_ids" req:"true"`
}

type scorerConfigs struct {
	Configs []struct{} `json:"configs"`
}

// scorerConfigs are the sampling settings of scorers that run by themselves; none does here.
func (a *API) scorerConfigs(context.Context, *scorerConfigsRequest) (scorerConfigs, error) {
	return scorerConfigs{[]struct{}{}}, nil
}
