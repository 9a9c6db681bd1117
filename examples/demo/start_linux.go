package main

import "syscall"

// ownGroup keeps Ctrl-C at the terminal from reaching a node before the demo ends it, and lets the kernel end it should
// the demo be killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
