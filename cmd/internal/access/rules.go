package access

import (
	"slices"
	"strings"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

// rules gathers what a user needs.
type rules struct {
	Options
	publish, subscribe []Grant
}

func (r *rules) say(subject, why string) { r.publish = append(r.publish, Grant{subject, why, false}) }

func (r *rules) ask(subject, why string) { r.publish = append(r.publish, Grant{subject, why, true}) }

func (r *rules) hear(subject, why string) {
	r.subscribe = append(r.subscribe, Grant{subject, why, false})
}

func (r *rules) log(rest string) string { return event.LogSubject(r.Fleet, rest) }
func (r *rules) ctl(rest string) string { return event.CtlSubject(r.Fleet, rest) }

// api is a subject of JetStream's API about the stream.
func (r *rules) api(what string) string { return "$JS.API." + what + "." + event.StreamName(r.Fleet) }

// invalidate never covers what begins with _sys: ticks and the like are for nodes.
func (r *rules) invalidate() {
	const why = "invalidate"
	if len(r.Functions)+len(r.Tags)+len(r.Kinds) == 0 {
		r.say(r.log("fn.>"), why+" any function")
		r.say(r.log("tag.*"), why+" any tag")
		r.say(r.log("manifest.*.*"), "announce changed manifests")
		r.say(r.log("all"), why+" everything")
		return
	}
	for _, f := range r.Functions {
		r.say(r.log("fn."+f), why+" functions "+f)
	}
	for _, family := range r.Tags {
		r.say(r.log("tag."+family), why+" tags "+family+":…")
	}
	for _, kind := range r.Kinds {
		r.say(r.log("manifest."+strings.ToLower(kind)+".*"), "announce changed manifests of kind "+kind)
	}
}

func (r *rules) publisher() {
	r.invalidate()
	r.say(r.api("STREAM.INFO"), "tokens name the stream's epoch")
	r.ask(r.ctl("barrier"), "ask whether all nodes have applied it")
	r.ask(r.ctl(ctl.Has), "ask whether there is such a function, before a typo is published")
	if r.Relay {
		r.say(r.log(event.SysTick), "after a repeated publish of the outbox, a tick shows nodes what they may have missed")
	}
}

func (r *rules) watcher() {
	r.say(r.api("STREAM.INFO"), "where the stream stands")
	r.ask(r.api("DIRECT.GET"), "read what is kept")
	r.hear(event.LiveSubject(r.Fleet, ">"), "events as they are stored")
}

// manifests are applied and read through one of the nodes, whichever takes a question.
func (r *rules) manifests() {
	why := map[string]string{
		ctl.Apply: "apply manifests", ctl.Delete: "delete manifests", ctl.SetStatus: "report the status of manifests", ctl.Invalidate: "announce manifests without a change",
		ctl.Get: "read a manifest", ctl.List: "list manifests", ctl.Diff: "see what apply would change",
		ctl.Kinds: "which kinds there are", ctl.Ticket: "ask whether a change is announced",
		ctl.Log: "read who changed a manifest, and what",
	}
	for _, what := range ctl.ManifestVerbs() {
		if !slices.Contains(ctl.KindVerbs(), what) {
			r.say(ctl.AnySubject(r.Fleet, what), why[what])
			continue
		}
		if r.Role == Editor && len(r.Kinds) > 0 {
			for _, kind := range r.Kinds {
				r.say(ctl.AnySubject(r.Fleet, ctl.OfKind(what, kind)), why[what]+" (of kind "+kind+")")
			}
			continue
		}
		r.say(ctl.AnySubject(r.Fleet, what), why[what])
		r.say(ctl.AnySubject(r.Fleet, what)+".*", "the same of one kind, on the subject of the kind")
	}
}

func (r *rules) editor() {
	r.manifests()
	r.say(r.api("STREAM.INFO"), "learn the stream's epoch, which tokens name")
	r.ask(r.ctl("barrier"), "ask whether all nodes have applied it")
}

func (r *rules) node() {
	r.invalidate()
	r.say(r.log(event.SysTick), "keep the stream from falling silent; without it a node is never ready")
	r.say(r.log(event.SysLost), "tell the fleet that the stream lost messages")
	r.say(r.api("STREAM.INFO"), "where the stream stands, which proves that the node is current")
	if !r.External {
		r.say(r.api("STREAM.CREATE"), "make the stream")
		r.say(r.api("STREAM.UPDATE"), "mend the stream's configuration, and note in it how long nodes may serve without the bus")
	}
	r.ask(r.api("DIRECT.GET"), "fetch what the live feed has lost")
	r.say(r.ctl("presence."+r.Name), "say that this node is there, and how long it may serve what it has; without it a node is never ready")
	r.ask(r.ctl("barrier"), "ask whether all nodes have applied an invalidation")
	r.ask(r.ctl(ctl.GetStatus+".*"), "ask other nodes how they are")
	r.ask(r.ctl(ctl.Explain+".*"), "ask other nodes what they have")
	r.hear(event.LiveSubject(r.Fleet, ">"), "events as they are stored")
	r.hear(r.ctl("presence.*"), "which nodes there are")
	r.hear(r.ctl("barrier"), "whether this node has applied an invalidation")
	for _, what := range []string{ctl.GetStatus, ctl.Explain} {
		r.hear(ctl.Subject(r.Fleet, what, r.Name), "questions to this node")
		r.hear(ctl.Subject(r.Fleet, what, ""), "questions to all nodes")
	}
	r.hear(r.ctl(ctl.Has), "whether this node memoizes a function")
	if r.Relay {
		for _, what := range ctl.ManifestVerbs() {
			r.hear(ctl.AnySubject(r.Fleet, what), "questions about manifests, each answered by one of the nodes")
			if slices.Contains(ctl.KindVerbs(), what) {
				r.hear(ctl.AnySubject(r.Fleet, what)+".*", "the same about one kind")
			}
		}
	}
	r.hear("$SRV.>", "be seen by: nats micro ls")
	if r.OrderedFeed || r.Receivers {
		r.say(r.api("CONSUMER.CREATE")+".>", "make a consumer")
	}
	if r.OrderedFeed {
		r.say(r.api("CONSUMER.DELETE")+".*", "remove the consumer of an earlier connection")
		r.say("$JS.FC."+event.StreamName(r.Fleet)+".>", "answer flow control")
	}
	if r.Receivers {
		r.receivers()
	}
}

// receivers need their durable consumers and the stream of dead letters.
func (r *rules) receivers() {
	stream, dead := event.StreamName(r.Fleet), bus.DeadStream(r.Fleet)
	r.say(r.api("CONSUMER.INFO")+".*", "how far a receiver is")
	r.ask(r.api("CONSUMER.MSG.NEXT")+".*", "take the next event of a receiver")
	r.say("$JS.ACK."+stream+".>", "acknowledge it")
	r.say("$JS.API.STREAM.INFO."+dead, "look for the stream of dead letters")
	r.say(bus.DeadSubject(r.Fleet, ">"), "put away what a receiver could not handle, and order that it is told what it lost")
	r.say("$JS.API.CONSUMER.CREATE."+dead+".>", "make a consumer of ordered calls")
	r.ask("$JS.API.CONSUMER.MSG.NEXT."+dead+".*", "take the next ordered call")
	r.say("$JS.ACK."+dead+".>", "acknowledge it")
	r.say("$JS.API.STREAM.MSG.DELETE."+dead, "remove a letter that was handled at last")
	if r.External {
		return
	}
	r.say("$JS.API.STREAM.CREATE."+dead, "make the stream of dead letters")
	r.say("$JS.API.STREAM.UPDATE."+dead, "mend its configuration")
}

func (r *rules) admin() {
	stream := event.StreamName(r.Fleet)
	r.invalidate()
	r.say("$JS.API.INFO", "what the account has and may have")
	for _, s := range []string{stream, stream + "_DEAD"} {
		r.say("$JS.API.STREAM.INFO."+s, "look at the stream")
		r.say("$JS.API.STREAM.CREATE."+s, "make the stream")
		r.say("$JS.API.STREAM.UPDATE."+s, "change the stream")
		r.ask("$JS.API.DIRECT.GET."+s, "read what is kept")
		r.say("$JS.API.CONSUMER.NAMES."+s, "list consumers")
		r.say("$JS.API.CONSUMER.LIST."+s, "list consumers")
		r.say("$JS.API.CONSUMER.INFO."+s+".*", "look at a consumer")
		r.say("$JS.API.CONSUMER.DELETE."+s+".*", "remove a consumer")
	}
	r.say("$JS.API.STREAM.MSG.DELETE."+stream+"_DEAD", "drop a dead letter")
	r.say(bus.AgainSubject(r.Fleet, "*"), "have a receiver called with a dead letter again")
	r.ask(r.ctl("barrier"), "ask whether all nodes have applied it")
	r.ask(r.ctl(ctl.Has), "ask whether there is such a function, before a typo is published")
	r.ask(r.ctl(ctl.GetStatus+".*"), "ask nodes how they are")
	r.ask(r.ctl(ctl.Explain+".*"), "ask nodes what they have")
	r.manifests()
	r.ask("$SRV.>", "nats micro ls")
	r.hear(event.LiveSubject(r.Fleet, ">"), "events as they are stored")
	r.hear(r.ctl("presence.*"), "which nodes there are")
}
