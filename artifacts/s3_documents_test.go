package artifacts_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/artifacts"
)

// Whatever document is sent, the answer is S3's, and never the server's own fault.
func FuzzDocuments(f *testing.F) {
	for _, text := range []string{
		enabled, suspended, string(tagging("a", "b")), string(completion([]string{"x"}, "CRC32", []string{"y"})),
		"<Delete><Quiet>true</Quiet><Object><Key>k</Key><VersionId>null</VersionId><ETag>*</ETag></Object></Delete>",
		"<Delete><Object><Key>\xff</Key></Object></Delete>", "<Tagging><TagSet><Tag/></TagSet></Tagging>", "", "<", "<a/><b/>", `<!DOCTYPE x [<!ENTITY a "b">]><Tagging>&a;</Tagging>`,
	} {
		f.Add(text, "k")
	}
	store := newStore(f)
	handler := artifacts.NewS3(store, artifacts.S3Config{Keys: keys})
	f.Fuzz(func(t *testing.T, document, key string) {
		s := &s3Test{TB: t, store: store, url: "http://localhost", host: "localhost"}
		for _, target := range []string{
			"PUT /mlflow?versioning", "PUT /mlflow?tagging", "PUT /mlflow/k?tagging", "PUT /mlflow/k?tagging&versionId=null", "POST /mlflow?delete",
			"POST /mlflow/k?uploadId=" + strings.Repeat("0", 32),
		} {
			method, path, _ := strings.Cut(target, " ")
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, sign(s.request(method, path, []byte(document))))
			if w.Code >= 500 && w.Code != 501 || w.Code >= 400 && !strings.Contains(w.Body.String(), "<RequestId>") {
				t.Errorf("%s %q: %d %s", target, document, w.Code, w.Body)
			}
		}
		w := httptest.NewRecorder()
		r := s.request("PUT", "/mlflow/k", nil)
		r.Header["X-Amz-Tagging"], r.Header["X-Amz-Storage-Class"] = []string{strings.TrimSpace(document)}, []string{strings.TrimSpace(key)}
		handler.ServeHTTP(w, sign(r))
		if w.Code >= 500 && w.Code != 501 {
			t.Errorf("%q %q: %d %s", document, key, w.Code, w.Body)
		}
	})
}
