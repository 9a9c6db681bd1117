// Package ctl is how a node is asked over NATS, with nothing else in reach: core requests below
// lethe.v1.ctl.<fleet>., answered in JSON by a micro service named lethe-node, which `nats micro ls` lists.
//
//	explain.<node>  explain._all     body: one target with arguments; the answer is a lethe.Explanation
//	status.<node>   status._all      no body; the answer is a Status
//
// An answer names its node in the header Lethe-Node. A request whose reply subject is nobody's inbox (below lethe. or $) gets
// none. Answers are at most as large as a NATS message; an endpoint holds at most 64 requests waiting and drops what is beyond.
package ctl
