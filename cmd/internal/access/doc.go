// Package access says which NATS permissions each role of a fleet needs, and nothing beyond them, and prints them as server
// configuration, as commands of nsc and as the permissions of a user JWT.
//
// What a user may publish decides what it can make a fleet forget, because a node drops what a payload says beyond its
// subject. Everything that is not granted is denied: a NATS user with an allow list may do what is on the list.
//
// NATS does not check the reply subject of a publish, and the server sends its answers there with its own rights. So whoever
// may publish anything at all in the account of the stream can have an acknowledgement stored on any subject of the stream.
// That is why [Conf] puts nodes and admins in the account that has the stream, and everyone else in an account of their own
// that imports the few subjects it needs: there an answer stays in the account that asked.
package access
