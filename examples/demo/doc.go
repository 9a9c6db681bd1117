// Command demo shows a fleet forgetting together, with the real programs and real files.
//
// It starts three lethe-node processes (the first brings the NATS server), lets each of them remember a folder of files,
// changes files, says so with lethe-publisher by key, by tag, by prefix and all at once, and checks what every node served
// before and after. One wrong answer and it ends with exit code 1. Whatever it started has ended when it ends.
//
//	make demo         run it
//	KEEP=1 make demo  and leave the nodes up until Ctrl-C
package main
