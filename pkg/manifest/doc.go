// Package manifest keeps desired state in a database and announces what each change of it makes stale.
//
// A manifest is an object under a kind, a namespace and a name, with a spec: the form that Kubernetes has made known. A kind is
// typed, a Go struct that a program registers ([Register]), or stored, a manifest of kind Kind that anybody applies ([Store.Apply]).
//
//	store, err := manifest.Open(ctx, "postgres://…", node) // node is a *lethe.Node
//	bots, err := manifest.Register(ctx, store, manifest.Kind[Chatbot]{APIVersion: "example.dev/v1", Name: "Chatbot"})
//	r, err := bots.Apply(ctx, chatbot)                      // created, configured or unchanged
//	view.Get(lethe.WithToken(ctx, r.Token), "acme", "helper")
//
// The promise: what a program computes from manifests, by functions it has memoized, is recomputed on every node of the fleet once
// a change of one of them is announced, and it declares nothing for that.
//
//   - A write and its announcement are one transaction (package outbox). Nothing is announced that did not commit, nothing commits
//     that will not be announced. An object to which nothing changes is neither written nor announced.
//   - A change names the object, its collection in the namespace and overall, what its kind says (asked of the object as it was and
//     as it is), and every object that refers to it, directly or through others.
//   - [Store.Get] and [Store.List] record what they read for the memoized function whose ctx they get, also when there is nothing.
//   - The changes of one object are announced in the order of their resourceVersions, a number that rises with every change in the
//     database. Of two writers who name the same one, one wins.
//
// A text of several manifests is applied whole or not at all, as one decision: of calls at the same time some order explains what
// each of them found and did, also where it found that nothing changes. Any number of processes may work with one PostgreSQL, on one fleet;
// several may share a SQLite file on one machine.
//
// What it does not do: it runs nothing. What has to follow a change is done by a receiver (lethe.Node.Receive), by a program that
// watches, or when it is next read. It keeps no history, but for the
// journal of [WithJournal]. Reads are of the database as it is: memoize them.
package manifest
