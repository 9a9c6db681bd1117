// Package deploy tests how Lethe is run elsewhere: it loads docker-compose.yml and the Dockerfile, checks them against each other and
// against the programs, and runs what they describe as processes of this machine.
//
// Nothing is written down twice: commands, environment, health checks, order of start, ports and passwords are read from the
// Compose file, the programs are built by the Dockerfile's own build commands. Each service gets a loopback address of its own, which
// takes the place of its name; the ports stay. What only a container engine can show is not shown: that the images named exist, that
// limits, users and read-only file systems do not get in the programs' way.
//
// It needs Linux, Go and the programs of a PostgreSQL server (Debian: apt-get install postgresql).
package deploy
