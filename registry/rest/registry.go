package rest

import (
	"context"
	"strconv"

	"github.com/prinzbox/prinzbox/registry"
)

type modelName struct {
	Name string `json:"name" req:"true"`
}

type modelResponse struct {
	RegisteredModel registry.RegisteredModel `json:"registered_model"`
}

type createModelRequest struct {
	Name        string          `json:"name" req:"true"`
	Tags        []looseKeyValue `json:"tags"`
	Description *string         `json:"description"`
}

func (a *API) createRegisteredModel(ctx context.Context, r *createModelRequest) (modelResponse, error) {
	m, err := a.CreateRegisteredModel(ctx, registry.NewRegisteredModel{Name: r.Name, Description: r.Description, Tags: loosePairs(r.Tags)})
	return modelResponse{m}, err
}

func (a *API) getRegisteredModel(ctx context.Context, r *modelName) (modelResponse, error) {
	m, err := a.RegisteredModel(ctx, r.Name)
	return modelResponse{m}, err
}

type searchRequest struct {
	Filter     string   `json:"filter"`
	MaxResults *int     `json:"max_results"`
	OrderBy    []string `json:"order_by"`
	PageToken  string   `json:"page_token"`
}

func (r *searchRequest) query(def int) registry.Query {
	return registry.Query{Filter: r.Filter, OrderBy: r.OrderBy, MaxResults: orDefault(r.MaxResults, def), PageToken: r.PageToken}
}

// atMost checks a page size before the store does, with the message of MLflow's handlers, which name the Python type of what was sent.
func atMost(n *int, limit int, python string) error {
	if n == nil || *n <= limit {
		return nil
	}
	shown := strconv.Itoa(*n)
	if python == "str" {
		shown = strconv.Quote(shown)
	}
	return registry.Invalidf("Invalid value %s for parameter 'max_results' supplied:  Hint: Value was of type '%s'.%s", shown, python, seeDocs)
}

type modelsResponse struct {
	RegisteredModels []registry.RegisteredModel `json:"registered_models,omitempty"`
	NextPageToken    string                     `json:"next_page_token,omitempty"`
}

func (a *API) searchRegisteredModels(ctx context.Context, r *searchRequest) (modelsResponse, error) {
	if err := atMost(r.MaxResults, registry.MaxModelPage, "str"); err != nil {
		return modelsResponse{}, err
	}
	page, err := a.SearchRegisteredModels(ctx, r.query(100))
	return modelsResponse{page.Items, page.NextPageToken}, err
}

// listRegisteredModels is the 1.x call that Prinz makes: ordered by name, no filter.
func (a *API) listRegisteredModels(ctx context.Context, r *searchRequest) (modelsResponse, error) {
	r.Filter, r.OrderBy = "", nil
	return a.searchRegisteredModels(ctx, r)
}

type updateModelRequest struct {
	Name        string  `json:"name" req:"true"`
	Description *string `json:"description"`
}

func (a *API) updateRegisteredModel(ctx context.Context, r *updateModelRequest) (modelResponse, error) {
	m, err := a.UpdateRegisteredModel(ctx, r.Name, r.Description)
	return modelResponse{m}, err
}

type renameModelRequest struct {
	Name    string `json:"name" req:"true"`
	NewName string `json:"new_name" req:"true"`
}

func (a *API) renameRegisteredModel(ctx context.Context, r *renameModelRequest) (modelResponse, error) {
	m, err := a.RenameRegisteredModel(ctx, r.Name, r.NewName)
	return modelResponse{m}, err
}

func (a *API) deleteRegisteredModel(ctx context.Context, r *modelName) error {
	return a.DeleteRegisteredModel(ctx, r.Name)
}

type latestVersionsRequest struct {
	Name   string   `json:"name" req:"true"`
	Stages []string `json:"stages"`
}

type versionsResponse struct {
	ModelVersions []registry.ModelVersion `json:"model_versions,omitempty"`
	NextPageToken string                  `json:"next_page_token,omitempty"`
}

func (a *API) getLatestVersions(ctx context.Context, r *latestVersionsRequest) (versionsResponse, error) {
	versions, err := a.LatestVersions(ctx, r.Name, r.Stages)
	return versionsResponse{ModelVersions: versions}, err
}

type modelTag struct {
	Name  string `json:"name" req:"true"`
	Key   string `json:"key" req:"true"`
	Value string `json:"value"`
}

func (a *API) setRegisteredModelTag(ctx context.Context, r *modelTag) error {
	return a.SetRegisteredModelTag(ctx, r.Name, registry.KeyValue{Key: r.Key, Value: r.Value})
}

func (a *API) deleteRegisteredModelTag(ctx context.Context, r *modelTag) error {
	return a.DeleteRegisteredModelTag(ctx, r.Name, r.Key)
}

type setAliasRequest struct {
	Name    string `json:"name" req:"true"`
	Alias   string `json:"alias" req:"true"`
	Version string `json:"version" req:"true"`
}

func (a *API) setAlias(ctx context.Context, r *setAliasRequest) error {
	return a.SetAlias(ctx, r.Name, r.Alias, r.Version)
}

type modelAlias struct {
	Name  string `json:"name" req:"true"`
	Alias string `json:"alias" req:"true"`
}

func (a *API) deleteAlias(ctx context.Context, r *modelAlias) error {
	return a.DeleteAlias(ctx, r.Name, r.Alias)
}

type versionResponse struct {
	ModelVersion registry.ModelVersion `json:"model_version"`
}

func (a *API) getByAlias(ctx context.Context, r *modelAlias) (versionResponse, error) {
	v, err := a.ModelVersionByAlias(ctx, r.Name, r.Alias)
	return versionResponse{v}, err
}

type createVersionRequest struct {
	Name        string          `json:"name" req:"true"`
	Source      string          `json:"source" req:"true"`
	RunID       string          `json:"run_id"`
	Tags        []looseKeyValue `json:"tags"`
	RunLink     string          `json:"run_link"`
	Description string          `json:"description"`
	ModelID     string          `json:"model_id"`
}

func (a *API) createModelVersion(ctx context.Context, r *createVersionRequest) (versionResponse, error) {
	v, err := a.CreateModelVersion(ctx, registry.NewModelVersion{
		Name: r.Name, Source: r.Source, RunID: r.RunID, Tags: loosePairs(r.Tags), RunLink: r.RunLink, Description: r.Description, ModelID: r.ModelID,
	})
	return versionResponse{v}, err
}

type modelVersion struct {
	Name    string `json:"name" req:"true"`
	Version string `json:"version" req:"true"`
}

func (a *API) getModelVersion(ctx context.Context, r *modelVersion) (versionResponse, error) {
	v, err := a.ModelVersion(ctx, r.Name, r.Version)
	return versionResponse{v}, err
}

func (a *API) searchModelVersions(ctx context.Context, r *searchRequest) (versionsResponse, error) {
	if err := atMost(r.MaxResults, registry.MaxVersionPage, "str"); err != nil {
		return versionsResponse{}, err
	}
	page, err := a.SearchModelVersions(ctx, r.query(registry.MaxVersionPage))
	return versionsResponse{page.Items, page.NextPageToken}, err
}

type updateVersionRequest struct {
	Name        string  `json:"name" req:"true"`
	Version     string  `json:"version" req:"true"`
	Description *string `json:"description"`
}

func (a *API) updateModelVersion(ctx context.Context, r *updateVersionRequest) (versionResponse, error) {
	v, err := a.UpdateModelVersion(ctx, r.Name, r.Version, r.Description)
	return versionResponse{v}, err
}

type transitionRequest struct {
	Name            string `json:"name" req:"true"`
	Version         string `json:"version" req:"true"`
	Stage           string `json:"stage" req:"true"`
	ArchiveExisting bool   `json:"archive_existing_versions"`
}

func (a *API) transitionModelVersion(ctx context.Context, r *transitionRequest) (versionResponse, error) {
	v, err := a.TransitionModelVersion(ctx, r.Name, r.Version, r.Stage, r.ArchiveExisting)
	return versionResponse{v}, err
}

func (a *API) deleteModelVersion(ctx context.Context, r *modelVersion) error {
	return a.DeleteModelVersion(ctx, r.Name, r.Version)
}

type downloadURIResponse struct {
	ArtifactURI string `json:"artifact_uri"`
}

type downloadURIRequest struct {
	Name    string `json:"name" req:"true"`
	Version string `json:"version"`
}

func (a *API) getDownloadURI(ctx context.Context, r *downloadURIRequest) (downloadURIResponse, error) {
	v, err := a.ModelVersion(ctx, r.Name, r.Version)
	return downloadURIResponse{v.StorageLocation}, err
}

type versionTag struct {
	Name    string `json:"name" req:"true"`
	Version string `json:"version" req:"true"`
	Key     string `json:"key" req:"true"`
	Value   string `json:"value"`
}

func (a *API) setModelVersionTag(ctx context.Context, r *versionTag) error {
	return a.SetModelVersionTag(ctx, r.Name, r.Version, registry.KeyValue{Key: r.Key, Value: r.Value})
}

func (a *API) deleteModelVersionTag(ctx context.Context, r *versionTag) error {
	return a.DeleteModelVersionTag(ctx, r.Name, r.Version, r.Key)
}
