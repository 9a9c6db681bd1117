// Package fleet knows who is there, and asks them all whether they have applied an event.
//
// Nodes tell of themselves on lethe.v1.ctl.<fleet>.presence.<name>: on every connection before they may store anything, when
// something about them changes, and every so often (Every). Who listens has a roster. A question goes to
// lethe.v1.ctl.<fleet>.barrier; every node answers at once with its state, its roster and whether it has applied the token,
// and once more when it has.
//
// A Barrier is complete when every node that anybody knows of can no longer serve what is older than the token: it has
// answered that it has applied it, it has said goodbye, or its serve horizon has passed since the Barrier was asked. (The
// horizon is how long a node may serve what it has without renewing its lease; who has renewed it since has applied the
// event.) No clock of another process is trusted, and no beat: a node whose presence is late is waited for all the same.
//
// The roster is the union of those of all who answer. Those are trusted where one of them is seasoned: it was there when the
// fleet's stream had been silent for longer than any node may serve, or learned its roster from one that was, or has listened
// for that long itself. Without one, and where a roster is too large to be told in time, a Barrier is complete only when the
// fleet's longest horizon has passed, which stands in the stream's metadata.
//
// Bounds: 8,192 members in a roster (more: no roster is trusted), 1,024 in one message, 256 goodbyes remembered, 256 questions
// waited for at a time (more: the asker repeats them every second).
package fleet
