//go:build unix

package python

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a process into a group of its own: a Ctrl-C meant for us does not reach it, and we end its children with it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // nobody may be left
	}
}
