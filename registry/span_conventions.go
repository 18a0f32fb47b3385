package registry

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/prinzbox/prinzbox/registry/pyjson"
)

// convention is how one family of tools names in span attributes what MLflow has own attributes for. The tables say what MLflow 3.17.2 reads.
type convention struct {
	kindKey            string
	kinds              map[string]string
	input, output      string // token counts
	total              string
	cacheRead          string
	cacheWrite         []string
	inputs, outputs    []string
	models             []string
	provider, toolsKey string
}

// conventions in the order in which MLflow asks them; the first that knows something wins.
var conventions = []convention{
	{ // OpenInference
		kindKey: "openinference.span.kind",
		kinds: map[string]string{
			"TOOL": "TOOL", "CHAIN": "CHAIN", "LLM": "LLM", "RETRIEVER": "RETRIEVER", "EMBEDDING": "EMBEDDING", "AGENT": "AGENT",
			"RERANKER": "RERANKER", "UNKNOWN": spanTypeUnknown, "GUARDRAIL": "GUARDRAIL", "EVALUATOR": "EVALUATOR",
		},
		input: "llm.token_count.prompt", output: "llm.token_count.completion", total: "llm.token_count.total",
		cacheRead: "llm.token_count.prompt_details.cache_read", cacheWrite: []string{"llm.token_count.prompt_details.cache_write"},
		inputs: []string{"input.value"}, outputs: []string{"output.value"},
		models:   []string{"llm.response.model_name", "llm.model_name", "llm.request.model_name", "embedding.model_name"},
		provider: "llm.provider",
	},
	{ // OpenTelemetry's own conventions for generative AI
		kindKey: "gen_ai.operation.name",
		kinds: map[string]string{
			"chat": "CHAT_MODEL", "create_agent": "AGENT", "embeddings": "EMBEDDING", "execute_tool": "TOOL", "generate_content": "LLM",
			"invoke_agent": "AGENT", "text_completion": "LLM", "response": "LLM",
		},
		input: "gen_ai.usage.input_tokens", output: "gen_ai.usage.output_tokens", cacheRead: "gen_ai.usage.cache_read.input_tokens",
		cacheWrite: []string{"gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens"},
		inputs:     []string{"gen_ai.input.messages", "gen_ai.tool.call.arguments"}, outputs: []string{"gen_ai.output.messages", "gen_ai.tool.call.result"},
		models: []string{"gen_ai.response.model", "gen_ai.request.model"}, provider: "gen_ai.provider.name", toolsKey: "gen_ai.tool.definitions",
	},
	{ // Traceloop
		kindKey: "traceloop.span.kind",
		kinds:   map[string]string{"workflow": "WORKFLOW", "task": "TASK", "agent": "AGENT", "tool": "TOOL", "unknown": spanTypeUnknown},
		input:   "gen_ai.usage.prompt_tokens", output: "gen_ai.usage.completion_tokens", total: "llm.usage.total_tokens",
		inputs: []string{"traceloop.entity.input"}, outputs: []string{"traceloop.entity.output"},
		models: []string{"gen_ai.response.model", "gen_ai.request.model"}, provider: "gen_ai.system",
	},
	{ // Google's agent kit
		inputs:  []string{"gcp.vertex.agent.llm_request", "gcp.vertex.agent.tool_call_args"},
		outputs: []string{"gcp.vertex.agent.llm_response", "gcp.vertex.agent.tool_response"},
	},
	{ // Vercel's AI SDK
		kindKey: "ai.operationId",
		kinds: map[string]string{
			"ai.generateText": "LLM", "ai.generateText.doGenerate": "LLM", "ai.toolCall": "TOOL", "ai.streamText": "LLM",
			"ai.streamText.doStream": "LLM", "ai.generateObject": "LLM", "ai.generateObject.doGenerate": "LLM", "ai.streamObject": "LLM",
			"ai.streamObject.doStream": "LLM", "ai.embed": "EMBEDDING", "ai.embed.doEmbed": "EMBEDDING", "ai.embedMany": "EMBEDDING",
		},
	},
	{ // Laminar
		kindKey: "lmnr.span.type",
		kinds: map[string]string{
			"LLM": "LLM", "TOOL": "TOOL", "DEFAULT": "CHAIN", "PIPELINE": "CHAIN", "EXECUTOR": "AGENT", "EVALUATOR": "EVALUATOR",
			"HUMAN_EVALUATOR": "EVALUATOR", "EVALUATION": "EVALUATOR", "CACHED": "LLM",
		},
		inputs: []string{"lmnr.span.input"}, outputs: []string{"lmnr.span.output"},
	},
	{ // Langfuse
		kindKey: "langfuse.observation.type",
		kinds: map[string]string{
			"generation": "LLM", "embedding": "EMBEDDING", "tool": "TOOL", "retriever": "RETRIEVER", "agent": "AGENT", "chain": "CHAIN",
			"evaluator": "EVALUATOR", "guardrail": "GUARDRAIL", "span": spanTypeUnknown,
		},
		inputs: []string{"langfuse.observation.input"}, outputs: []string{"langfuse.observation.output"},
	},
}

// translate adds MLflow's attributes where a span says the same in another convention's words. What it says in MLflow's own stays.
func translate(a *attributes) {
	if t := a.text(attrSpanType); !a.has(attrSpanType) || t == spanTypeUnknown || t == "null" {
		for _, c := range conventions {
			if c.kindKey == "" {
				continue
			}
			if kind, ok := c.kinds[a.text(c.kindKey)]; ok {
				a.set(attrSpanType, string(pyjson.AppendString(nil, kind)))
				break
			}
		}
	}
	first := func(target string, keys func(c *convention) []string, text func(string) string) {
		if a.has(target) {
			return
		}
		for i := range conventions {
			for _, key := range keys(&conventions[i]) {
				if v := a.get(key); truthy(v) {
					a.set(target, text(v))
					return
				}
			}
		}
	}
	same := func(v string) string { return v }
	asText := func(v string) string { return string(pyjson.AppendString(nil, plain(v))) }
	first(attrInputs, func(c *convention) []string { return c.inputs }, same)
	first(attrOutputs, func(c *convention) []string { return c.outputs }, same)
	if !a.has(attrTokenUsage) {
		if usage := usageOf(a); usage != nil {
			a.set(attrTokenUsage, tokenSum.format(usage))
		}
	}
	one := func(key string) []string {
		if key == "" {
			return nil
		}
		return []string{key}
	}
	first(attrTools, func(c *convention) []string { return one(c.toolsKey) }, same)
	first(attrModel, func(c *convention) []string { return c.models }, asText)
	for _, key := range []string{attrInputs, attrOutputs} { // a model named in what went in or came out
		if model := memberText(a.get(key), "model"); model != "" && !a.has(attrModel) {
			a.set(attrModel, asText(string(pyjson.AppendString(nil, model))))
		}
	}
	first(attrProvider, func(c *convention) []string { return one(c.provider) }, asText)
}

// usageOf reads the token counts of the first convention that has any.
func usageOf(a *attributes) map[string]float64 {
	for _, c := range conventions {
		usage := map[string]float64{}
		read := func(name string, keys ...string) {
			for _, key := range keys {
				if key == "" {
					continue
				}
				if n, err := strconv.ParseInt(strings.TrimSpace(a.text(key)), 10, 64); err == nil {
					usage[name] = float64(n)
					return
				}
			}
		}
		read("input_tokens", c.input)
		read("output_tokens", c.output)
		read("total_tokens", c.total)
		if len(usage) == 0 {
			continue
		}
		in, hasIn := usage["input_tokens"]
		out, hasOut := usage["output_tokens"]
		if _, ok := usage["total_tokens"]; !ok && hasIn && hasOut {
			usage["total_tokens"] = in + out
		}
		read("cache_read_input_tokens", c.cacheRead)
		read("cache_creation_input_tokens", c.cacheWrite...)
		return usage
	}
	return nil
}

// truthy tells whether a JSON text is there and not null, false, zero or empty.
func truthy(jsonText string) bool {
	switch strings.TrimSpace(jsonText) {
	case "", "null", "false", "0", "0.0", `""`, "[]", "{}":
		return false
	}
	return true
}

// memberText gives a member of a JSON object when it is a text.
func memberText(object, name string) string {
	if !strings.HasPrefix(object, "{") || !strings.Contains(object, `"`+name+`"`) {
		return ""
	}
	var m map[string]json.RawMessage
	var text string
	if json.Unmarshal([]byte(object), &m) != nil || json.Unmarshal(m[name], &text) != nil {
		return ""
	}
	return text
}
