//go:build !unix

package python

import "os/exec"

// Without fork there are no workers (find says so), hence no groups.
func ownGroup(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = cmd.Process.Kill()
	}
}
