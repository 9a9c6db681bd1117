// Package outbox announces with the commit: rows written in your transaction, published after it.
//
//	tx, err := db.BeginTx(ctx, nil)
//	defer tx.Rollback()
//	tx.ExecContext(ctx, "UPDATE products SET name = $2 WHERE sku = $1", sku, name)
//	ticket, err := outbox.Append(ctx, tx, Product.Key(sku))
//	err = tx.Commit()
//	token, err := relay.Wait(ctx, ticket) // optional: stored in the stream
//
// The promise: nothing is announced that did not commit, nothing commits that will not be announced, whatever crashes in
// between. Append checks what it is given by writing and reading the event as it will travel, so that a row which commits can be
// published. A row is published at least once, under an id of its own, which the stream knows a repetition by. Of each subject,
// and of each object a manifest event is about, first appearances come in the order of the rows' numbers, which the database
// assigns: write the object's row first, then Append, and the order is that of the changes, whatever the clocks say.
//
// The model: Schema (or Migrate) makes the tables, in your database, SQLite or PostgreSQL. Any number of processes run a Relay
// on them; one of them has the lease and works, the others watch it and take over when it ends or hangs. It is woken by Relay.Wake
// and Relay.Wait in its process, by NOTIFY on PostgreSQL (through pgx's database/sql driver), and looks once a second anyway.
//
// The lease saves work, it is no permission: a relay that sees the first row wait for five seconds tries to publish it too, and
// takes the lease when that succeeds. So rows go out within ten seconds after any of the relays has the bus and the database,
// whatever the others do. Rows that wait for more than 30 seconds are logged once a minute by every relay, with the last error
// and the name of the relay that has the lease; Status and Collector have the figures.
//
// Subjects take turns: while thousands of rows of one subject wait, a row of another goes out within a fraction of a second.
//
// A row that can never be stored (larger than the server takes) is parked with the reason, counted, and passed by. It is tried
// again after a quarter of its age, and every five minutes at least. What the server refuses for another reason, such as a
// permission that is missing, is a mistake of provisioning: such rows wait, and hold up their own subject only.
//
// A database is announced on one bus. Beside the relays stands which: the fleet and the identity of its stream. A process whose
// node is on another bus does not relay and says why (ErrOtherBus), as long as a relay on the recorded one is alive; when none
// has been for a minute, or when the process itself saw its stream made anew, it takes over, and announces "everything" before
// anything else, because the new bus may have missed what the old one was told.
//
// A database may go back to an earlier state: it is restored, or a standby that lags becomes the primary. What is remembered of rows is
// remembered by their ids, never by their numbers, which are drawn again. A relay finds with its next beat that the database has gone
// back (PostgreSQL tells, a relay's row in the tables is not as it was, or a row is gone that it has read), and announces "everything". What no
// relay has read, and no relay has beaten after, can be lost unseen on SQLite: a relay reads a row when it is woken, after the commit.
//
// In SQLite, use WAL, a busy_timeout, synchronous=FULL and _txlock=immediate; another process than the one whose relay works
// hears of a commit by the poll. In PostgreSQL, NOTIFY makes commits that announce take turns at their very end; where many
// thousands a second are needed, drop the trigger lethe_outbox_notify and rely on the poll. PREPARE TRANSACTION needs that, too:
// PostgreSQL refuses it to a transaction that notifies. Through PgBouncer in transaction mode nothing is heard of NOTIFY; the relay
// looks ten times a second. docs/deploy.md has both.
//
// What the package does not do: it does not invalidate between the commit and the moment the stream has stored the event, when
// readers may see the old value; it is no general queue.
package outbox
