package workspace

import "testing"

func TestX(t *testing.T) {
	for _, s := range []string{"00-exec", "01-uts", "02-pid", "03-mount"} {
		w := &Workspace{Dir: "/tmp/labws"}
		made, err := w.Start(t.Context(), s, Reference)
		t.Log(made, err)
		if err != nil { t.Error(err); continue }
		t.Log(w.Build(t.Context(), s, "/dev/null"))
	}
}
