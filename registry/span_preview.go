package registry

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// preview is what a trace shows of the inputs or outputs of its root span: the last message of a conversation by the given role, or else the JSON text;
// cut to maxPreview characters.
func preview(jsonText, role string) string {
	text := messageText(jsonText, role)
	if text == "" {
		text = jsonText
	}
	if len(text) > maxPreview && utf8.RuneCountInString(text) > maxPreview {
		text = firstRunes(text, maxPreview-3) + "..."
	}
	return text
}

// messageText finds the text in the shapes of chat requests and answers.
func messageText(jsonText, role string) string {
	if !strings.HasPrefix(jsonText, "{") {
		return ""
	}
	var object map[string]any
	if json.Unmarshal([]byte(jsonText), &object) != nil {
		return ""
	}
	messages := chatMessages(object, 0)
	if len(messages) == 0 {
		return ""
	}
	message := messages[len(messages)-1]
	for _, message0 := range slices.Backward(messages) {
		if message0["role"] == role {
			message = message0
			break
		}
	}
	switch content := message["content"].(type) {
	case string:
		return content
	case []any:
		for _, part := range content {
			switch p := part.(type) {
			case string:
				return p
			case map[string]any:
				if p["type"] == "text" || p["type"] == "output_text" {
					text, _ := p["text"].(string)
					return text
				}
			}
		}
	}
	return ""
}

func chatMessages(object map[string]any, depth int) []map[string]any {
	isMessage := func(v any) (map[string]any, bool) {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		_, hasRole := m["role"]
		_, hasContent := m["content"]
		return m, hasRole && hasContent
	}
	list := func(name string) (out []map[string]any, found bool) {
		items, ok := object[name].([]any)
		for _, item := range items {
			if m, ok := isMessage(item); ok {
				out = append(out, m)
			}
		}
		return out, ok && len(items) > 0
	}
	if out, ok := list("messages"); ok {
		return out
	}
	if choices, ok := object["choices"].([]any); ok && len(choices) > 0 {
		if choice, ok := choices[0].(map[string]any); ok {
			if m, ok := isMessage(choice["message"]); ok {
				return []map[string]any{m}
			}
		}
	}
	for _, name := range []string{"input", "output"} {
		if out, ok := list(name); ok {
			return out
		}
	}
	if inner, ok := object["request"].(map[string]any); ok && depth < 8 {
		return chatMessages(inner, depth+1)
	}
	return nil
}
