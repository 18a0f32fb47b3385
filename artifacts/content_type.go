package artifacts

import (
	"path"
	"strings"
	"unicode/utf8"
)

// textExtensions and textNames are served as text/plain, so that a browser can show them (contract/artifacts.md, section 1).
const (
	textExtensions = " txt log err cfg conf cnf cf ini properties prop hocon toml yaml yml xml json js py py3 csv tsv md rst ipynb jsonnet sql sh "
	textNames      = " MLmodel mlmodel mlproject "
)

// contentTypes are fixed here, since mime.TypeByExtension depends on the machine.
var contentTypes = map[string]string{
	".html": "text/html", ".htm": "text/html", ".css": "text/css",
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".svg": "image/svg+xml",
	".webp": "image/webp", ".bmp": "image/bmp", ".ico": "image/vnd.microsoft.icon", ".tif": "image/tiff", ".tiff": "image/tiff",
	".pdf": "application/pdf", ".zip": "application/zip", ".tar": "application/x-tar",
	".mp3": "audio/mpeg", ".wav": "audio/x-wav", ".mp4": "video/mp4", ".webm": "video/webm", ".avi": "video/x-msvideo",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".wasm": "application/wasm",
}

// ContentType guesses the type of an artifact from its name, as MLflow 3.17.2 does; application/octet-stream if it cannot.
func ContentType(name string) string {
	name = path.Base(name)
	ext := path.Ext(name)
	if ext != "" && strings.Contains(textExtensions, " "+strings.ToLower(ext[1:])+" ") || strings.Contains(textNames, " "+name+" ") {
		return "text/plain"
	}
	if t := contentTypes[strings.ToLower(ext)]; t != "" {
		return t
	}
	return "application/octet-stream"
}

// ContentDisposition makes the header that has a file saved under its name: MLflow's form, with the ASCII letters of the
// name for old clients and the full name in RFC 8187's encoding.
func ContentDisposition(name string) string {
	ascii := true
	var fold strings.Builder
	for _, r := range name {
		if r >= utf8.RuneSelf {
			ascii = false
		} else if r >= 0x20 && r != 0x7f {
			fold.WriteRune(r)
		}
	}
	plain := fold.String()
	if plain == "" {
		plain = "download"
	}
	if strings.ContainsFunc(plain, func(r rune) bool { return strings.ContainsRune(" \"(),/:;<=>?@[\\]{}", r) }) {
		plain = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(plain) + `"`
	}
	header := "attachment; filename=" + plain
	if !ascii {
		header += "; filename*=UTF-8''" + escapePath(name)
	}
	return header
}
