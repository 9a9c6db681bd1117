package bus

import (
	"crypto/sha256"
	"encoding/base32"
	"regexp"
	"strings"

	"github.com/lethe-cache/lethe/pkg/event"
)

// consumerPrefix begins the names of the consumers that are shared by nodes.
const consumerPrefix = "lethe-once-"

var plainReceiver = regexp.MustCompile(`^[a-z0-9_-]{1,48}$`)

// ReceiverToken is a receiver's name as a token of a subject: itself where that is short, plain and lower case (servers keep
// consumers in folders, and not every file system tells upper from lower case), else a hash that no such name can be.
func ReceiverToken(receiver string) string {
	if plainReceiver.MatchString(receiver) {
		return receiver
	}
	sum := sha256.Sum256([]byte(receiver))
	return "=" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}

// ConsumerName is the name of the receiver's consumers.
func ConsumerName(receiver string) string { return consumerPrefix + ReceiverToken(receiver) }

// DeadStream is the name of the stream of dead letters.
func DeadStream(fleet string) string { return event.StreamName(fleet) + "_DEAD" }

const deadRoot = "lethe.v1.dead."

// DeadSubject is where the letters of a receiver are; the token "*" is all.
func DeadSubject(fleet, token string) string { return deadRoot + fleet + "." + token }

// AgainSubject is where calls of a receiver are ordered: letters that are to be tried again, and the word that it lost events.
func AgainSubject(fleet, token string) string { return deadRoot + fleet + ".again." + token }

// Headers of what is on the stream of dead letters.
const (
	HeaderReceiver = "Lethe-Receiver"  // whose letter it is
	HeaderError    = "Lethe-Error"     // what the receiver said last
	HeaderTries    = "Lethe-Tries"     // how often the event was handed to a node
	HeaderSequence = "Lethe-Sequence"  // of the event in the log
	HeaderSubject  = "Lethe-Subject"   // of the event in the log
	HeaderToken    = "Lethe-Token"     // the event's; a node calls the receiver only when it has applied it
	HeaderFailedAt = "Lethe-Failed-At" // RFC 3339
	HeaderReset    = "Lethe-Reset"     // no event but the word that the receiver lost some: why
	HeaderEvent    = "Lethe-Event"     // id of that word
	HeaderLetter   = "Lethe-Letter"    // of an order: the letter that is removed once the receiver has succeeded
)
