package ui

// code is a program that sends the form's request: text before and after the body, which is quoted in between. The script puts other bodies
// into the same places.
type code struct {
	id, title     string
	before, after string
	// shell tells that the body is quoted for a shell; else it is a string literal that Python, Go and Scala read.
	shell bool
	text  string
}

func newCodes(url string) []code {
	address := quoted(url)
	return []code{
		{id: "curl", title: "curl", shell: true, before: "curl -X POST " + shellQuote(url) + " \\\n  -H 'Content-Type: application/json' \\\n  -d "},
		{
			id: "code-python", title: "Python",
			before: "import requests\n\nanswer = requests.post(\n    " + address + ",\n    headers={\"Content-Type\": \"application/json\"},\n    data=",
			after:  ".encode(),\n)\nanswer.raise_for_status()\nprint(answer.json())",
		},
		{
			id: "code-go", title: "Go",
			before: "body := ", after: "\nresp, err := http.Post(" + address + ", \"application/json\", strings.NewReader(body))",
		},
		{
			id: "code-scala", title: "Scala",
			before: "import java.net.URI\nimport java.net.http.{HttpClient, HttpRequest, HttpResponse}\n\nval body = ",
			after: "\nval request = HttpRequest.newBuilder(URI.create(" + address + "))\n  .header(\"Content-Type\", \"application/json\")\n" +
				"  .POST(HttpRequest.BodyPublishers.ofString(body))\n  .build()\n" +
				"val answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body",
		},
	}
}

func (c *code) set(body string) {
	literal := quote(body)
	if c.shell {
		literal = shellQuote(body)
	}
	c.text = c.before + literal + c.after
}
