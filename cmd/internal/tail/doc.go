// Package tail reads a fleet's stream as a bystander does: what is stored by batched Direct Get, what comes by the
// republished subject, or by asking again where the stream republishes nothing. No consumer is made on the server, and no more permission is needed than a node has.
package tail
