package rest

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"unicode"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"

	"github.com/prinzbox/prinzbox/registry"
)

//go:embed schema.graphql
var graphQLSchema string

// loadGraphQLSchema parses the schema when the first GraphQL request comes: no other request needs it, nor does start-up.
var loadGraphQLSchema = sync.OnceValue(func() *ast.Schema {
	return gqlparser.MustLoadSchema(&ast.Source{Name: "schema.graphql", Input: graphQLSchema})
})

// Limits of a GraphQL request, which are MLflow's.
const (
	maxGraphQLDepth      = 10
	maxGraphQLSelections = 1000
	maxGraphQLRoots      = 10
	maxGraphQLAliases    = 10
)

// graphQLOp is an operation of the table as a GraphQL root field: the same binder reads its input, the same struct is its answer.
type graphQLOp func(a *API, ctx context.Context, field string, input []byte) (any, error)

func graphQL[Req, Resp any](fn func(a *API, ctx context.Context, req *Req) (Resp, error)) graphQLOp {
	return func(a *API, ctx context.Context, field string, input []byte) (any, error) {
		var req Req
		v := reflect.ValueOf(&req).Elem()
		p := planOf(v.Type())
		d := decoder{dec: jsontext.NewDecoder(bytes.NewReader(input))}
		if notJSON, err := d.body(p, v, input); err != nil || notJSON != nil {
			return nil, errors.Join(err, notJSON)
		}
		if bad := p.required(v); bad != nil {
			return nil, bad.invalid()
		}
		if err := a.permitted(ctx, graphQLRules[field], &req); err != nil {
			return nil, err
		}
		resp, err := fn(a, ctx, &req)
		a.redact(ctx, &resp)
		return resp, err
	}
}

var graphQLOps = map[string]graphQLOp{
	"mlflowGetExperiment":                graphQL((*API).getExperiment),
	"mlflowGetMetricHistoryBulkInterval": graphQL((*API).sampledMetricHistory),
	"mlflowGetRun":                       graphQL((*API).getRun),
	"mlflowListArtifacts":                graphQL((*API).listArtifacts),
	"mlflowSearchModelVersions":          graphQL((*API).searchModelVersions),
	"mlflowSearchRuns":                   graphQL((*API).searchRuns),
	"mlflowSearchDatasets":               graphQL((*API).searchDatasets),
}

type graphQLRequest struct {
	Query         string         `json:"query"`
	Variables     map[string]any `json:"variables"`
	OperationName string         `json:"operationName"`
}

// graphQLResponse always has both fields; errors are plain texts (contract/behaviours.md, section 12).
type graphQLResponse struct {
	Data   any      `json:"data"`
	Errors []string `json:"errors"`
}

// serveGraphQL answers /graphql, with status 200 whatever is wrong with the query.
func (a *API) serveGraphQL(c *gin.Context) {
	var req graphQLRequest
	if reads(c.Request) && c.Request.URL.RawQuery != "" {
		req.Query, req.OperationName = c.Query("query"), c.Query("operationName")
	} else {
		body, err := readBody(c.Request, a.cfg.MaxBody)
		if err == nil {
			err = checkContentType(c.Request, 1)
		}
		if err != nil {
			a.fail(c, err)
			return
		}
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.UseNumber()
		if err := dec.Decode(&req); err != nil {
			a.fail(c, registry.Invalidf("The request body is not a GraphQL request in JSON: %v", err))
			return
		}
	}
	if req.Query == "" {
		a.fail(c, missingValue("query"))
		return
	}
	g := graphQLRun{a: a, ctx: c.Request.Context()}
	data := g.run(req)
	writeJSON(c.Writer, http.StatusOK, graphQLResponse{data, g.errors})
}

type graphQLRun struct {
	a      *API
	ctx    context.Context //nolint:containedctx // lives as long as one request
	errors []string
	vars   map[string]any
}

func (g *graphQLRun) fail(err error) any {
	var list gqlerror.List
	var one *gqlerror.Error
	var user *registry.Error
	switch {
	case errors.As(err, &list):
		for _, e := range list {
			g.errors = append(g.errors, graphQLMessage(e))
		}
	case errors.As(err, &one):
		g.errors = append(g.errors, graphQLMessage(one))
	case errors.As(err, &user):
		g.errors = append(g.errors, user.Message)
	default:
		g.a.cfg.Log.Error("internal error", "path", "/graphql", "error", err)
		g.errors = append(g.errors, registry.Body(err).Message)
	}
	return nil
}

// graphQLMessage words an error of the library as MLflow's library does: single quotes, and the variable that is meant.
func graphQLMessage(e *gqlerror.Error) string {
	message := strings.ReplaceAll(e.Message, `"`, "'")
	if len(e.Path) > 0 {
		message = e.Path.String() + " " + message
	}
	return message
}

func (g *graphQLRun) run(req graphQLRequest) any {
	// The parser's own limit keeps a nested query from costing more than it is worth.
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: req.Query}, 20*maxGraphQLSelections)
	if err != nil {
		return g.fail(err)
	}
	if err := checkGraphQLSize(doc); err != nil {
		return g.fail(err)
	}
	schema := loadGraphQLSchema()
	if list := validator.ValidateWithRules(schema, doc, nil); len(list) > 0 {
		return g.fail(list)
	}
	op := doc.Operations.ForName(req.OperationName)
	if op == nil {
		return g.fail(gqlerror.Errorf("Must provide operation name if query contains multiple operations."))
	}
	vars, err := validator.VariableValues(schema, op, req.Variables)
	if err != nil {
		return g.fail(err)
	}
	g.vars = vars
	out := map[string]any{}
	for _, f := range g.fields(op.SelectionSet) {
		out[f.Alias] = g.root(f)
	}
	return out
}

func (g *graphQLRun) root(f *ast.Field) any {
	args := f.ArgumentMap(g.vars)
	switch f.Name {
	case "__typename":
		return f.ObjectDefinition.Name
	case "test", "testMutation":
		return g.project(map[string]any{"output": args["inputString"]}, f)
	}
	op, ok := graphQLOps[f.Name]
	if !ok {
		return g.fail(gqlerror.Errorf("%s is not served", f.Name))
	}
	input, err := json.Marshal(args["input"])
	if err == nil && bytes.Equal(input, []byte("null")) {
		input = []byte("{}")
	}
	if err != nil {
		return g.fail(err)
	}
	return g.call(f.Name, op, input, f)
}

// call runs an operation and shows what the query selects of its answer.
func (g *graphQLRun) call(name string, op graphQLOp, input []byte, f *ast.Field) any {
	tree, err := g.ask(name, op, input)
	if errors.Is(err, errDenied) {
		return nil // as MLflow does: no data, no word
	}
	if err != nil {
		return g.fail(err)
	}
	return g.project(tree, f)
}

// ask runs an operation and gives its answer as REST would write it.
func (g *graphQLRun) ask(name string, op graphQLOp, input []byte) (any, error) {
	answer, err := op(g.a, g.ctx, name, input)
	if err != nil {
		return nil, err
	}
	return jsonTree(answer)
}

func jsonTree(v any) (tree any, err error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	err = dec.Decode(&tree)
	return tree, err
}

// project shows a value of the REST answer as a field wants it: the selected parts, camelCase names, int64 as text, NaN as null.
func (g *graphQLRun) project(v any, f *ast.Field) any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = g.project(item, f)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for _, sub := range g.fields(f.SelectionSet) {
			out[sub.Alias] = g.member(v, sub)
		}
		return out
	case json.Number:
		if f.Definition.Type.Name() == "LongString" {
			return v.String()
		}
	case string:
		if f.Definition.Type.Name() == "Float" { // the REST spelling of NaN
			return nil
		}
	}
	return v
}

func (g *graphQLRun) member(object map[string]any, f *ast.Field) any {
	if f.Name == "__typename" {
		return f.ObjectDefinition.Name
	}
	if f.ObjectDefinition.Name == "MlflowRunExtension" {
		info, _ := object["info"].(map[string]any)
		switch f.Name {
		case "experiment":
			return g.nested("mlflowGetExperiment", map[string]any{"experiment_id": info["experiment_id"]}, "experiment", f)
		case "modelVersions":
			return g.nested("mlflowSearchModelVersions", map[string]any{"filter": fmt.Sprintf("run_id='%v'", info["run_id"])}, "model_versions", f)
		}
	}
	value := object[snake(f.Name)]
	if value == nil {
		return absent(f)
	}
	return g.project(value, f)
}

// absent is what GraphQL shows of a field that REST leaves out: the default of its type in MLflow's protocol.
func absent(f *ast.Field) any {
	if f.Definition.Type.Elem != nil {
		return []any{}
	}
	switch f.Definition.Type.Name() {
	case "String":
		return ""
	case "LongString":
		return "0"
	case "Float":
		return 0.0
	case "Boolean":
		return false
	}
	return nil
}

// nested resolves a field of a run by another operation.
func (g *graphQLRun) nested(op string, input map[string]any, part string, f *ast.Field) any {
	text, err := json.Marshal(input)
	if err != nil {
		return g.fail(err)
	}
	tree, err := g.ask(op, graphQLOps[op], text)
	if errors.Is(err, errDenied) {
		return absent(f)
	}
	if err != nil {
		return g.fail(err)
	}
	object, _ := tree.(map[string]any)
	if object[part] == nil {
		return absent(f)
	}
	return g.project(object[part], f)
}

// fields flattens a selection: fragments are read in place, @skip and @include obeyed.
func (g *graphQLRun) fields(set ast.SelectionSet) []*ast.Field {
	var out []*ast.Field
	for _, sel := range set {
		switch s := sel.(type) {
		case *ast.Field:
			if g.included(s.Directives) {
				out = append(out, s)
			}
		case *ast.InlineFragment:
			if g.included(s.Directives) {
				out = append(out, g.fields(s.SelectionSet)...)
			}
		case *ast.FragmentSpread:
			if g.included(s.Directives) && s.Definition != nil {
				out = append(out, g.fields(s.Definition.SelectionSet)...)
			}
		}
	}
	return out
}

func (g *graphQLRun) included(directives ast.DirectiveList) bool {
	for _, d := range directives {
		on, _ := d.ArgumentMap(g.vars)["if"].(bool)
		if d.Name == "skip" && on || d.Name == "include" && !on {
			return false
		}
	}
	return true
}

func snake(camel string) string {
	var b strings.Builder
	for _, r := range camel {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// checkGraphQLSize holds a query against MLflow's limits before anything else looks at it. Fragments count where they are used.
func checkGraphQLSize(doc *ast.QueryDocument) error {
	total := 0
	var walk func(set ast.SelectionSet, depth int, inside map[string]bool) (roots, aliases int, err error)
	walk = func(set ast.SelectionSet, depth int, inside map[string]bool) (fields, aliases int, err error) {
		if depth > maxGraphQLDepth {
			return 0, 0, gqlerror.Errorf("Query exceeds maximum depth of %d", maxGraphQLDepth)
		}
		for _, sel := range set {
			var f, al int
			switch s := sel.(type) {
			case *ast.Field:
				if total++; total > maxGraphQLSelections {
					return 0, 0, gqlerror.Errorf("Query exceeds maximum total selections of %d", maxGraphQLSelections)
				}
				f = 1
				if s.Alias != s.Name {
					al = 1
				}
				if len(s.SelectionSet) > 0 {
					_, below, err := walk(s.SelectionSet, depth+1, inside)
					if err != nil {
						return 0, 0, err
					}
					if below > maxGraphQLAliases {
						return 0, 0, tooManyGraphQL("aliases", "MLFLOW_SERVER_GRAPHQL_MAX_ALIASES", maxGraphQLAliases, below)
					}
				}
			case *ast.InlineFragment:
				f, al, err = walk(s.SelectionSet, depth, inside)
			case *ast.FragmentSpread:
				def := doc.Fragments.ForName(s.Name)
				if def == nil || inside[s.Name] { // the validator says what is wrong with it
					continue
				}
				inside[s.Name] = true
				f, al, err = walk(def.SelectionSet, depth, inside)
				delete(inside, s.Name)
			}
			if err != nil {
				return 0, 0, err
			}
			fields, aliases = fields+f, aliases+al
		}
		return fields, aliases, nil
	}
	roots := 0
	for _, op := range doc.Operations {
		fields, aliases, err := walk(op.SelectionSet, 1, map[string]bool{})
		if err != nil {
			return err
		}
		if roots += fields; roots > maxGraphQLRoots {
			return tooManyGraphQL("root fields", "MLFLOW_SERVER_GRAPHQL_MAX_ROOT_FIELDS", maxGraphQLRoots, roots)
		}
		if aliases > maxGraphQLAliases {
			return tooManyGraphQL("aliases", "MLFLOW_SERVER_GRAPHQL_MAX_ALIASES", maxGraphQLAliases, aliases)
		}
	}
	return nil
}

func tooManyGraphQL(what, setting string, limit, is int) error {
	return gqlerror.Errorf("GraphQL queries should have at most %d %s, got %d %s. To increase the limit, set the %s environment variable.", limit, what, is, what, setting)
}
