package calls

import (
	"fmt"
	"strings"
)

// variable is the environment variable that holds the address of what a call was for, as `prinzbox env` prints them.
func (c *Call) variable() string {
	switch c.Kind {
	case S3:
		return "AWS_ENDPOINT_URL_S3"
	case Static:
		return "PRINZBOX_STATIC_URL"
	}
	return "MLFLOW_TRACKING_URI"
}

// target is path and query.
func (c *Call) target() string {
	if c.Query == "" {
		return c.Path
	}
	return c.Path + "?" + c.Query
}

// Curl gives a call as a command line for a POSIX shell, with variables for the address and for secrets. A body that was not kept whole comes
// from a file, body.bin.
func (c *Call) Curl() string {
	var b strings.Builder
	b.WriteString("curl -sS")
	switch c.Method {
	case "GET":
	case "HEAD":
		b.WriteString(" -I")
	default:
		b.WriteString(" -X " + shellWord(c.Method))
	}
	switch {
	case c.Kind == S3 && c.Authorization != "":
		b.WriteString(` --aws-sigv4 "aws:amz:$AWS_DEFAULT_REGION:s3" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"`)
	case strings.EqualFold(c.Authorization, "Basic"):
		b.WriteString(` --user "$MLFLOW_TRACKING_USERNAME:$MLFLOW_TRACKING_PASSWORD"`)
	case strings.EqualFold(c.Authorization, "Bearer"):
		b.WriteString(` -H "Authorization: Bearer $MLFLOW_TRACKING_TOKEN"`)
	}
	if c.RequestType != "" {
		b.WriteString(" -H " + shellWord("Content-Type: "+c.RequestType))
	}
	for _, h := range c.Headers {
		b.WriteString(" -H " + shellWord(h.Name+": "+h.Value))
	}
	switch {
	case c.whole() && len(c.RequestBody) > 0:
		b.WriteString(" --data-binary " + shellWord(string(c.RequestBody)))
	case !c.whole():
		b.WriteString(" --data-binary @body.bin")
	}
	fmt.Fprintf(&b, ` "$%s"%s`, c.variable(), shellWord(c.target()))
	return b.String()
}

// whole tells whether the request's body is here as it was, but for secrets.
func (c *Call) whole() bool {
	return c.RequestBytes == 0 || len(c.RequestBody) > 0 && !c.RequestBodyCut
}

// shellWord quotes a text for a POSIX shell; $SECRET stays a variable.
func shellWord(s string) string {
	var b strings.Builder
	for i, part := range strings.Split(s, Secret) {
		if i > 0 {
			b.WriteString(`"` + Secret + `"`)
		}
		if part != "" {
			b.WriteString("'" + strings.ReplaceAll(part, "'", `'\''`) + "'")
		}
	}
	if b.Len() == 0 {
		return "''"
	}
	return b.String()
}
