package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Version is the version of the module this program was built from, as the Go toolchain stamped it.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// VersionLine is what `version` prints for the program name.
func VersionLine(name string) string {
	return fmt.Sprintf("%s %s %s %s/%s", name, Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
