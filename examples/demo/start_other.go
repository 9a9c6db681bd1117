//go:build !linux

package main

import "syscall"

// ownGroup is nothing special where there is no way to tie a process to its parent.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
