package prinzbox_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/prinzbox"
	"github.com/prinzbox/prinzbox/prinzbox/calls"
	"github.com/prinzbox/prinzbox/registry"
)

func TestDirect(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	ns := env.ForTest(t)
	run, err := ns.Store().CreateRun(t.Context(), registry.NewRun{ExperimentID: "0", Name: "mine"})
	if err != nil {
		t.Fatal(err)
	}
	if runs, err := ns.Runs(t.Context(), "attributes.run_name = 'mine'"); err != nil || len(runs) != 1 || runs[0].Info.RunID != run.Info.RunID {
		t.Errorf("%v, %v", runs, err)
	}
	if runs, err := env.Runs(t.Context(), ""); err != nil || len(runs) != 3 { // those of the samples
		t.Errorf("%d runs, %v", len(runs), err)
	}
	if _, err := ns.Runs(t.Context(), "nonsense"); err == nil {
		t.Error("a filter that is none")
	}

	dir := t.TempDir()
	if _, err := ns.LogModel(t.Context(), "wine", dir); err == nil || !strings.Contains(err.Error(), "MLmodel") {
		t.Errorf("a folder without MLmodel: %v", err)
	}
	copyModel(t, ns, "MLF-ElasticnetWineModel-1", dir)
	for range 2 { // the second time nothing is new
		if version, err := ns.LogModel(t.Context(), "wine", dir); err != nil || version != "1" {
			t.Errorf("version %q, %v", version, err)
		}
	}
	if a := call(t, "GET", ns.TrackingURI()+"/model/wine/1/ping", ""); a.status != 200 {
		t.Errorf("ping %d %s", a.status, a.body)
	}

	ns.AssertCalls(t, 1, calls.Query{Path: "/model/wine/*"})
	env.AssertCalls(t, 0, calls.Query{Path: "/model/wine/*"})
	failed := &recorder{TB: t}
	ns.AssertCalls(failed, 3, calls.Query{Path: "/model/wine/*"})
	if !strings.Contains(failed.text, "1 calls match where 3 should") || !strings.Contains(failed.text, "GET /model/wine/1/ping 200") {
		t.Errorf("%q", failed.text)
	}
}

// recorder keeps what a test would have failed with.
type recorder struct {
	testing.TB
	text string
}

func (r *recorder) Errorf(format string, args ...any) { r.text += fmt.Sprintf(format, args...) }

// copyModel writes the files of a sample's version into a folder.
func copyModel(t *testing.T, ns *prinzbox.Namespace, name, dir string) {
	t.Helper()
	model, err := ns.Store().RegisteredModel(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	prefix := strings.TrimPrefix(model.LatestVersions[0].Source, "s3://mlflow/") + "/"
	page, err := ns.Objects().List(t.Context(), "mlflow", artifacts.ListOptions{Prefix: prefix, Max: 100})
	if err != nil || len(page.Objects) == 0 {
		t.Fatal(len(page.Objects), err)
	}
	for _, o := range page.Objects {
		r, err := ns.Objects().Open(t.Context(), "mlflow", o.Key)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		_ = r.Close() // read whole
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, strings.TrimPrefix(o.Key, prefix)), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
