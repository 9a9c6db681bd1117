// Package ctl is how a node is asked over NATS, with nothing else in reach: core requests below
// lethe.v1.ctl.<fleet>., answered in JSON by a micro service named lethe-node, which `nats micro ls` lists.
//
//	explain.<node>  explain._all     body: one target with arguments; the answer is a lethe.Explanation
//	status.<node>   status._all      no body; the answer is a Status
//	has                              body: one target of a function; each node answers with a Knowledge
//
// What follows one of the nodes answers that have a database; they are a queue group.
//
//	apply       body: YAML or JSON, one manifest or several; Lethe-Dry-Run: true does nothing; the answer is a Written
//	delete      body: a Name; the answer is a Written
//	set-status  body: a StatusChange; the answer is a Written
//	invalidate  body: a Name, or a kind alone; announces without a change; the answer is a Written
//	get         body: a Name; the answer is the object
//	list        body: a Query; the answer is a Page
//	diff        body: as apply; the answer is a Difference
//	kinds       no body, or a Name with a kind; the answer is a KindList
//	ticket      body: an Announcement with a ticket; the answer is one with its token
//
// Each of them but kinds and ticket is answered on a subject of its kind as well, apply.chatbot, with the kind's own name in lower case: for
// who may do it with that kind alone. What such a request says of another kind is refused with 403, and nothing of it is done.
//
// Those that read look in the database, not in a cache. The header Lethe-Token makes them wait for that token, at most a second.
//
// JSON is read by the letter: a member that is unknown, given twice or written in another case is refused with 400. So is a header that
// begins with Lethe- and is unknown, repeated or empty; its name may have any letter case.
//
// An answer names its node in the header Lethe-Node. An error has its code and its text in the headers of the micro protocol, and
// is a Refusal in the body. A request whose reply subject is nobody's inbox (below lethe. or $) gets no answer. Answers are at most
// as large as a NATS message: a Page is shortened to fit, anything else is refused with 413. An endpoint of the first two holds
// at most 64 requests waiting and drops what is beyond; of the others a node works at 32 at a time, lets 64 more wait and refuses
// what is beyond with 503.
package ctl
