// Package migrate makes and updates tables of a database that other programs use too, SQLite or PostgreSQL.
//
// What is done already is found out by reading, so that programs that start on a database as it should be never wait for each other. What is to be
// done is done in one transaction, with a lock that ends with it: others wait in line and find it done. Nothing rests on the session of a
// connection, so a pool of server connections may stand between.
//
// The versions done are kept as goose keeps them, in a table of its form.
package migrate
