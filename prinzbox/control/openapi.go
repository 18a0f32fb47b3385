package control

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"time"
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// object is a JSON object.
type object = map[string]any

func (a *API) serveOpenAPI(w http.ResponseWriter, _ *http.Request) { writeJSON(w, a.OpenAPI()) }

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

// OpenAPI describes the API, as OpenAPI 3.1 has it. It is made of the same table and types that answer.
func (a *API) OpenAPI() map[string]any {
	schemas := object{}
	d := describer{schemas}
	failure := object{
		"description": "MLflow's error: the message names the field and what it takes",
		"content":     object{"application/json": object{"schema": object{"$ref": "#/components/schemas/Error"}}},
	}
	schemas["Error"] = object{
		"type": "object", "required": []string{"error_code", "message"},
		"properties": object{"error_code": object{"type": "string"}, "message": object{"type": "string"}},
	}
	paths := object{}
	for _, r := range a.routes {
		operation := object{
			"summary": r.summary, "operationId": operationID(r), "tags": []string{strings.Split(r.path, "/")[1]},
			"responses": object{"200": d.content("Done", r.out, r.outType), "4XX": failure, "5XX": failure},
		}
		var params []object
		for _, m := range pathParameter.FindAllStringSubmatch(r.path, -1) {
			params = append(params, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
		}
		for _, p := range r.params {
			params = append(params, object{"name": p.name, "in": "query", "description": p.doc, "schema": object{"type": p.kind}})
		}
		if params != nil {
			operation["parameters"] = params
		}
		if r.in != nil || r.inType != "" {
			body := d.content("", r.in, r.inType)
			delete(body, "description")
			if r.example != nil {
				body["content"].(object)["application/json"].(object)["example"] = r.example
			}
			body["required"] = r.path != "/reset" && r.path != "/gc"
			operation["requestBody"] = body
		}
		path := Prefix + r.path
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path].(object)[strings.ToLower(r.method)] = operation
	}
	doc := object{
		"openapi": "3.1.0",
		"info": object{
			"title": "prinzbox control API", "version": a.cfg.Version, "license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			"description": "What tests do to a running environment. A namespace has the same API, below its own address. docs/control.md tells more.",
		},
		"servers": []object{{"url": "/"}},
		"paths":   paths, "components": object{
			"schemas": schemas,
			"securitySchemes": object{
				"bearer": object{"type": "http", "scheme": "bearer"}, "token": object{"type": "apiKey", "in": "header", "name": TokenHeader}, "basic": object{"type": "http", "scheme": "basic"},
			},
		},
		"security": []object{{}, {"bearer": []string{}}, {"token": []string{}}, {"basic": []string{}}},
	}
	return doc
}

func operationID(r route) string {
	words := strings.FieldsFunc(r.path, func(c rune) bool { return strings.ContainsRune("/{}.", c) })
	return strings.ToLower(r.method) + "_" + strings.Join(words, "_")
}

// describer makes schemas of Go types.
type describer struct{ schemas object }

func (d describer) content(description string, t reflect.Type, mediaType string) object {
	schema := object{}
	if mediaType == "" {
		mediaType = "application/json"
	}
	switch {
	case t != nil:
		schema = d.schema(t)
	case mediaType == "text/plain" || mediaType == "text/event-stream":
		schema = object{"type": "string"}
	}
	return object{"description": description, "content": object{mediaType: object{"schema": schema}}}
}

func (d describer) schema(t reflect.Type) object {
	switch t {
	case typeOf[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case typeOf[json.RawMessage]():
		return object{}
	}
	if t.Implements(reflect.TypeFor[interface{ MarshalText() ([]byte, error) }]()) {
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		s := d.schema(t.Elem())
		if kind, ok := s["type"].(string); ok {
			s["type"] = []string{kind, "null"}
			return s
		}
		return object{"anyOf": []object{s, {"type": "null"}}}
	case reflect.Slice:
		return object{"type": "array", "items": d.schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": d.schema(t.Elem())}
	case reflect.Struct:
		return d.structure(t)
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	}
	return object{"type": "string"}
}

// structure is a reference to a schema of a struct's own, by its name.
func (d describer) structure(t reflect.Type) object {
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	ref := object{"$ref": "#/components/schemas/" + name}
	if d.schemas[name] != nil {
		return ref
	}
	properties := object{}
	s := object{"type": "object", "properties": properties, "additionalProperties": false}
	d.schemas[name] = s
	d.fields(t, properties)
	return ref
}

func (d describer) fields(t reflect.Type, properties object) {
	for f := range t.Fields() {
		if f.Anonymous {
			d.fields(f.Type, properties)
			continue
		}
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			properties[name] = d.schema(f.Type)
		}
	}
}
