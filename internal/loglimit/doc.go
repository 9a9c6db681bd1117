// Package loglimit keeps a log readable, and a disk from filling, whatever comes on the wire.
//
// A Handler stands in front of another one. It lets through so many lines of one message a minute and so many of all, and says
// how many it has kept back: with the next line of that message, in the field suppressed, and in a line of its own when it is
// asked to Tell. Every field is cut to a bound and has no control characters, so that what somebody sends can neither fill the
// log nor forge a line of it.
//
// Messages are literals: what is counted by message is counted by the place in the code.
package loglimit
