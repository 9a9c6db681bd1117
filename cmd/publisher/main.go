package main

import (
	"os"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(newRoot())) }
