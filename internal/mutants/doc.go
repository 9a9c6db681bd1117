// Command mutants breaks the code on purpose and requires that the tests notice.
//
// A package lists its mutants in testdata/mutants.json:
//
//	[{"name": "clock before fences",
//	  "file": "internal/fence/fence.go", "old": "exact text, once in the file", "new": "what stands there instead",
//	  "pkg": "./internal/fence", "run": "TestRegexp"}]
//
// Paths start at the root of the repository. With "module": "chaos" the package is one of the module in that folder, and broken is what that
// module imports. Each mutant is compiled into the named package by an overlay, so the
// tree itself is never touched; a mutant that does not compile, or whose text is not found exactly once, is an error
// and not a kill. The named tests have to pass without any mutant first, else a kill would prove nothing.
//
// Exit code 0: every mutant was killed. 1: one survived, or could not be tried.
package main
