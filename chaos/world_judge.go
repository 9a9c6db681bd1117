package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/chaos/whole"
	"github.com/lethe-cache/lethe/pkg/event"
)

// writeDown makes the database keep a history of its own, by triggers that run in the transactions that change it.
func (s *side) writeDown(ctx context.Context) error {
	statements := []string{
		`CREATE TABLE world_history (seq INTEGER PRIMARY KEY AUTOINCREMENT, family TEXT, namespace TEXT, name TEXT, version BIGINT, spec TEXT, gone INTEGER)`,
		`CREATE TRIGGER world_insert AFTER INSERT ON lethe_manifests BEGIN INSERT INTO world_history (family, namespace, name, version, spec, gone)
			VALUES (NEW.family, NEW.namespace, NEW.name, NEW.version, NEW.spec, 0); END`,
		`CREATE TRIGGER world_update AFTER UPDATE ON lethe_manifests BEGIN INSERT INTO world_history (family, namespace, name, version, spec, gone)
			VALUES (NEW.family, NEW.namespace, NEW.name, NEW.version, NEW.spec, 0); END`,
		`CREATE TRIGGER world_delete AFTER DELETE ON lethe_manifests BEGIN INSERT INTO world_history (family, namespace, name, version, spec, gone)
			VALUES (OLD.family, OLD.namespace, OLD.name, 0, '', 1); END`,
	}
	if s.postgres {
		statements = []string{
			`CREATE TABLE world_history (seq BIGSERIAL PRIMARY KEY, family TEXT, namespace TEXT, name TEXT, version BIGINT, spec TEXT, gone INTEGER)`,
			`CREATE FUNCTION world_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF TG_OP = 'DELETE' THEN
					INSERT INTO world_history (family, namespace, name, version, spec, gone) VALUES (OLD.family, OLD.namespace, OLD.name, 0, '', 1);
				ELSE
					INSERT INTO world_history (family, namespace, name, version, spec, gone) VALUES (NEW.family, NEW.namespace, NEW.name, NEW.version, NEW.spec, 0);
				END IF; RETURN NULL; END $$`,
			`CREATE TRIGGER world_note AFTER INSERT OR UPDATE OR DELETE ON lethe_manifests FOR EACH ROW EXECUTE FUNCTION world_note()`,
		}
	}
	for _, statement := range statements {
		if _, err := s.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// rest waits until a side's processes have done what they were asked and all that is committed is announced.
func (w *world) rest(ctx context.Context, s *side) error {
	for _, c := range s.citizens {
		err := poll(ctx, settleFor, c.name+" has done what it was asked", func(ctx context.Context) error {
			a, err := c.ask(ctx, command{Do: doIdle}, settleFor)
			if err == nil && a.Error != "" {
				err = errors.New(a.Error)
			}
			return err
		})
		if err != nil {
			return err
		}
		if err := w.current(ctx, s, c); err != nil {
			return err
		}
	}
	var left, parked int
	err := poll(ctx, settleFor, s.name+" has announced all", func(ctx context.Context) error {
		row := s.db.QueryRowContext(ctx, "SELECT count(*), count(parked) FROM lethe_outbox")
		if err := row.Scan(&left, &parked); err != nil || left > 0 {
			return errors.Join(err, fmt.Errorf("%d rows are left, %d of them parked", left, parked))
		}
		return nil
	})
	if err != nil && left > 0 && ctx.Err() == nil {
		w.violation(s, "announced: "+err.Error())
		return errViolated // what follows would judge the same again
	}
	return err
}

// compare compares the views of a side's processes with their functions.
func (w *world) compare(ctx context.Context, s *side, last event.Token) error {
	for _, c := range s.citizens {
		var all compared
		err := poll(ctx, settleFor, c.name+" compares its views", func(context.Context) error {
			a, err := c.ask(ctx, command{Do: doFinal, Token: last.String(), Body: s.ns}, askFor)
			if err == nil && a.Error != "" {
				err = errors.New(a.Error)
			}
			if err != nil {
				return err
			}
			return json.Unmarshal([]byte(a.Body), &all)
		})
		if err != nil {
			_ = c.process().signal(syscall.SIGQUIT) // where it stands goes to its log
			return fmt.Errorf("%w; logs in %s", err, w.dir)
		}
		w.counts.Views += all.Views
		w.counts.Hits += all.Hits
		for _, wrong := range all.Wrong {
			w.violation(s, "stale: "+c.name+": "+wrong)
		}
	}
	return nil
}

// judge judges what has happened in a round.
func (w *world) judge(ctx context.Context) error {
	said, err := w.stream(ctx)
	if err != nil {
		return err
	}
	for _, s := range w.sides {
		rows, err := w.rows(ctx, s)
		if err != nil {
			return err
		}
		for i := range s.calls {
			w.count(&s.calls[i])
		}
		w.counts.Changes += len(rows)
		w.counts.Events += len(said[s])
		for _, wrong := range whole.Judge(rows, s.calls, said[s]) {
			w.violation(s, wrong)
		}
		for _, e := range s.sees {
			w.counts.Seen++
			if !e.fresh(rows) {
				w.violation(s, fmt.Sprintf("exact: %s read %s of %s behind the token of version %d", e.who, e.got, e.object, e.version))
			}
		}
	}
	return nil
}

func (w *world) count(c *whole.Call) {
	w.counts.Calls++
	switch {
	case c.Look:
		w.counts.Lists++
	case c.Outcome == whole.Unknown:
		w.counts.Unknown++
	case c.Outcome == whole.Refused:
		w.counts.Refused++
	default:
		w.counts.Done++
		changed := false
		for _, d := range c.Docs {
			changed = changed || d.Changed
			switch {
			case strings.HasPrefix(d.Object, "kind/"):
				w.counts.Kinds++
			case d.Gone:
				w.counts.Deleted++
			}
		}
		if !changed {
			w.counts.Idle++
		}
	}
}

// fresh says whether what was read is no older than the version that the token is of.
func (e see) fresh(rows []whole.Row) bool {
	text, _, _ := strings.Cut(e.got, " ")
	version, err := strconv.ParseInt(text, 10, 64)
	if err != nil || version >= e.version {
		return err == nil
	}
	// It may have been deleted since, and made again. Versions of what is gone are not written down.
	behind := false
	for _, r := range rows {
		if r.Object != e.object {
			continue
		}
		if r.Gone && behind && version == 0 {
			return true
		}
		behind = behind || r.Version >= e.version || r.Gone
	}
	return version == 0 && behind && deletedAt(rows, e)
}

// deletedAt says whether the change that was made itself was a delete: its version stands nowhere.
func deletedAt(rows []whole.Row, e see) bool {
	for _, r := range rows {
		if r.Object == e.object && r.Version == e.version {
			return false
		}
	}
	return true
}

// rows is a side's history since it was read last.
func (w *world) rows(ctx context.Context, s *side) (all []whole.Row, err error) {
	err = poll(ctx, settleFor, s.name+" tells its history", func(ctx context.Context) error {
		rows, err := s.db.QueryContext(ctx, fmt.Sprintf("SELECT seq, family, name, version, spec, gone FROM world_history WHERE seq > %d ORDER BY seq", s.seq))
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		all = nil
		seq := s.seq
		for rows.Next() {
			var (
				family, name, spec string
				version            int64
				gone               int
			)
			if err := rows.Scan(&seq, &family, &name, &version, &spec, &gone); err != nil {
				return err
			}
			if family == "kind" {
				name = "kind/" + name
			}
			all = append(all, whole.Row{Object: name, Version: version, Spec: spec, Gone: gone == 1})
		}
		if rows.Err() == nil {
			s.seq = seq
		}
		return rows.Err()
	})
	return all, err
}

// stream reads what the stream has said of each side's objects since it was read last.
func (w *world) stream(ctx context.Context) (map[*side][]whole.Said, error) {
	said := map[*side][]whole.Said{}
	err := poll(ctx, settleFor, "the stream is read", func(context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		clear(said)
		str, err := w.js.Stream(ctx, event.StreamName(fleet))
		if err != nil {
			return err
		}
		last := str.CachedInfo().State.LastSeq
		c, err := str.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: w.read + 1})
		if err != nil {
			return err
		}
		it, err := c.Messages(jetstream.PullMaxMessages(1000))
		if err != nil {
			return err
		}
		defer it.Stop()
		defer context.AfterFunc(ctx, it.Stop)()
		for seq := w.read; seq < last; {
			m, err := it.Next()
			if err != nil {
				return err
			}
			md, err := m.Metadata()
			if err != nil {
				return err
			}
			seq = md.Sequence.Stream
			w.hear(said, event.Decode(fleet, m.Subject(), m.Headers(), m.Data()))
		}
		w.read = last
		return nil
	})
	return said, err
}

func (w *world) hear(said map[*side][]whole.Said, r event.Received) {
	if r.Manifest == nil || r.Type != event.TypeManifestApplied && r.Type != event.TypeManifestDeleted {
		return
	}
	for _, s := range w.sides {
		object := r.Manifest.Name
		switch {
		case r.Manifest.Kind == "Kind" && object == s.family():
			object = "kind/" + object
		case r.Manifest.Kind != s.kind:
			continue
		}
		version, err := strconv.ParseInt(r.Manifest.ResourceVersion, 10, 64)
		if err != nil {
			w.violation(s, fmt.Sprintf("announced: %s with version %q", object, r.Manifest.ResourceVersion))
		}
		said[s] = append(said[s], whole.Said{Object: object, Version: version, Gone: r.Type == event.TypeManifestDeleted, Call: r.Reason})
	}
}

// violation writes down what is wrong, and the harm around it.
func (w *world) violation(s *side, text string) {
	w.violations++
	if w.violations > violationsMost {
		return
	}
	w.say("VIOLATION %s %s, seed %d: %s", s.name, s.ns, w.opt.seed, text)
	f, err := os.OpenFile(w.opt.history, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.say("history: %v", err)
		return
	}
	defer func() { _ = f.Close() }()
	fmt.Fprintf(f, "%s %s, seed %d, logs in %s: %s\nharm:\n%s\n\n", s.name, s.ns, w.opt.seed, w.dir, text, strings.Join(w.harmed.recent(), "\n"))
}

func removeAll(dir string) error { return os.RemoveAll(dir) }
