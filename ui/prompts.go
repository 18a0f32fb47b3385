package ui

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
)

// promptRoutes are the pages of prompts.
func (u *UI) promptRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /prompts", u.show(u.prompts))
	mux.HandleFunc("GET /prompts/{name}", u.show(u.prompt))
}

// Tags of prompt versions (contract/behaviours.md, section 8).
const (
	tagPromptText     = "mlflow.prompt.text"
	tagPromptKind     = "_mlflow_prompt_type"
	tagPromptFormat   = "_mlflow_prompt_response_format"
	tagPromptSettings = "_mlflow_prompt_model_config"
)

// onlyPrompts finds prompts, which searches leave out unless they are asked for.
const onlyPrompts = "tags.`" + registry.TagIsPrompt + "` = 'true'"

type promptsView struct {
	list    listing
	rows    []promptLine
	example string
}

type promptLine struct {
	name, description, latest string
	changed                   moment
	aliases                   []registry.Alias
	tags                      []keyValue
}

func (u *UI) prompts(r *http.Request) (view, error) {
	l := parseListing(r)
	q := l.query()
	if q.Filter = onlyPrompts; l.filter != "" {
		q.Filter += " AND " + l.filter
	}
	found, err := u.cfg.Store.SearchRegisteredModels(r.Context(), q)
	status, err := inPlace(&l, err)
	if err != nil {
		return view{}, err
	}
	l.next = found.NextPageToken
	l.words = newListWords([]string{"name"}, nil)
	v := promptsView{list: l, example: u.promptExample("greeting")}
	for _, p := range found.Items {
		line := promptLine{name: p.Name, description: text(p.Description), changed: u.when(p.LastUpdated), aliases: p.Aliases, tags: promptTags(p.Tags)}
		l.words.item(line.name, line.tags)
		for _, version := range p.LatestVersions {
			line.latest = version.Version
		}
		v.rows = append(v.rows, line)
	}
	return view{title: "Prompts", section: "prompts", status: status, scripts: []string{"swap.js", "complete.js"}, body: promptsPage(v)}, nil
}

// promptExample is a program that registers a prompt.
func (u *UI) promptExample(name string) string {
	return "import mlflow\n\nmlflow.set_tracking_uri(" + quote(u.cfg.Environment().TrackingURI) + ")\n" +
		"mlflow.genai.register_prompt(\n    name=" + quote(name) + ",\n    template=\"Greet {{name}} in one sentence.\",\n    commit_message=\"first words\",\n)\n" +
		"print(mlflow.genai.load_prompt(" + quote("prompts:/"+name+"/1") + ").format(name=\"Ada\"))\n"
}

// promptTags leaves out what MLflow keeps for itself.
func promptTags(tags []registry.KeyValue) []keyValue {
	return slices.DeleteFunc(userTags(tags), func(t registry.KeyValue) bool { return strings.HasPrefix(t.Key, "_mlflow") })
}

// promptView is a prompt with one of its versions, beside which another may stand.
type promptView struct {
	prompt           registry.RegisteredModel
	tags             []keyValue
	created, changed moment
	versions         []promptVersion
	more             bool // there are older versions than those
	shown            *promptVersion
	other            *promptVersion
	diff             []diffLine
	settings         []diffLine
	use              string
	traces           templ.SafeURL
	example          string
}

// promptVersion is one text of a prompt.
type promptVersion struct {
	version, message string
	made             moment
	aliases          []string
	tags             []keyValue
	text, kind       string
	chat             []message
	variables        []string
	settings, format string
	run              string
}

// maxPromptVersions is how many versions a prompt's page lists.
const maxPromptVersions = 200

func (u *UI) prompt(r *http.Request) (view, error) {
	ctx, q := r.Context(), r.URL.Query()
	p, err := u.cfg.Store.RegisteredModel(ctx, r.PathValue("name"))
	if err != nil {
		return view{}, err
	}
	if !strings.EqualFold(tagValue(p.Tags, registry.TagIsPrompt), "true") {
		return view{location: string(modelURL(p.Name))}, nil
	}
	v := promptView{prompt: p, tags: promptTags(p.Tags), created: u.when(p.Created), changed: u.when(p.LastUpdated), example: u.promptExample(p.Name)}
	if v.versions, v.more, err = u.versionsOfPrompt(ctx, p); err != nil {
		return view{}, err
	}
	pick := func(number string) (*promptVersion, error) {
		for i := range v.versions {
			if v.versions[i].version == number {
				return &v.versions[i], nil
			}
		}
		old, err := u.cfg.Store.ModelVersion(ctx, p.Name, number)
		if err != nil {
			return nil, err
		}
		line := u.promptVersion(old, p.Aliases)
		return &line, nil
	}
	if number := q.Get("version"); number != "" {
		if v.shown, err = pick(number); err != nil {
			return view{}, err
		}
	} else if len(v.versions) > 0 {
		v.shown = &v.versions[0]
	}
	if number := q.Get("with"); number != "" && v.shown != nil && number != v.shown.version {
		if v.other, err = pick(number); err != nil {
			return view{}, err
		}
		v.diff = diffLines(v.other.text, v.shown.text)
		if v.other.settings != v.shown.settings || v.other.format != v.shown.format {
			v.settings = diffLines(v.other.settings+"\n"+v.other.format, v.shown.settings+"\n"+v.shown.format)
		}
	}
	if v.shown != nil {
		v.use = "prompt = mlflow.genai.load_prompt(" + quote("prompts:/"+p.Name+"/"+v.shown.version) + ")\n" + formatCall(v.shown.variables)
		if name, ok := filterText(p.Name + "/" + v.shown.version); ok {
			v.traces = "/traces" + query("filter", "prompt = "+name)
		}
	}
	return view{title: p.Name, section: "prompts", scripts: []string{"swap.js"}, body: promptPage(v)}, nil
}

// formatCall fills in a prompt's variables.
func formatCall(variables []string) string {
	parts := make([]string, len(variables))
	for i, name := range variables {
		parts[i] = name + `="…"`
	}
	return "prompt.format(" + strings.Join(parts, ", ") + ")"
}

// versionsOfPrompt lists the versions, the newest first.
func (u *UI) versionsOfPrompt(ctx context.Context, p registry.RegisteredModel) (out []promptVersion, more bool, err error) {
	name, ok := filterText(p.Name)
	if !ok {
		return nil, false, nil // the name cannot be written in a filter; a version can still be asked for
	}
	found, err := u.cfg.Store.SearchModelVersions(ctx, registry.Query{
		Filter: "name = " + name + " AND " + onlyPrompts, OrderBy: []string{"version_number DESC"}, MaxResults: maxPromptVersions,
	})
	for _, version := range found.Items {
		out = append(out, u.promptVersion(version, p.Aliases))
	}
	return out, found.NextPageToken != "", err
}

func (u *UI) promptVersion(m registry.ModelVersion, aliases []registry.Alias) promptVersion {
	v := promptVersion{
		version: m.Version, message: text(m.Description), made: u.when(m.Created), tags: promptTags(m.Tags), run: m.RunID,
		text: tagValue(m.Tags, tagPromptText), kind: tagValue(m.Tags, tagPromptKind),
		settings: indent([]byte(tagValue(m.Tags, tagPromptSettings))), format: indent([]byte(tagValue(m.Tags, tagPromptFormat))),
	}
	for _, a := range aliases {
		if a.Version == m.Version {
			v.aliases = append(v.aliases, a.Alias)
		}
	}
	v.variables = variablesOf(v.text)
	if v.kind == "chat" {
		if v.chat = conversation(json.RawMessage(v.text)); v.chat != nil {
			v.text = chatText(v.chat)
		}
	}
	return v
}

// chatText is a conversation as lines, so that two can be compared.
func chatText(chat []message) string {
	var b strings.Builder
	for i, m := range chat {
		if i > 0 {
			b.WriteString("\n\n")
		}
		b.WriteString(m.role + ":\n" + m.content)
	}
	return b.String()
}

var variable = regexp.MustCompile(`\{\{\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*\}\}`)

// variablesOf lists the names between double braces, each once.
func variablesOf(text string) (names []string) {
	for _, m := range variable.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	return names
}

// filterText writes a text as a value of the filter language; a text with both kinds of quotes has none.
func filterText(s string) (string, bool) {
	switch {
	case !strings.Contains(s, "'"):
		return "'" + s + "'", true
	case !strings.Contains(s, `"`):
		return `"` + s + `"`, true
	}
	return "", false
}
