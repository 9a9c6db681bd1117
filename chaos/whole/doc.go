// Package whole decides whether a history of applies is one of whole applies, each announced.
//
// It is told three things that do not know of each other: what callers asked for and were answered, what a database says that it has stored
// (a trigger of its own writes down each change, in the transaction that makes it), and what stands in the stream. From them it puts the commits into
// the order of their versions and plays them:
//
//   - whole: a commit belongs to one call. Each document of the call is in it, or stands at that moment as the call wants it.
//   - guard: a document with a resourceVersion stands at that version at that moment.
//   - lost: what a caller was told to be done is stored; what it was told to be refused is not.
//   - order: a call that ended before another one began has the lower version. The versions of an object rise as they are stored.
//   - moment: a list, and an apply that found nothing to change, saw what stood at one moment of the call.
//   - announced: each change stands in the stream, with its version and the name of its call; nothing else does; the first
//     appearances of an object's versions rise.
package whole
