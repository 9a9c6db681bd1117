/*
 * The fence with single flight: one node, one stream, callers that read, join and load.
 *
 * README.md maps every step to the Go code. Every statement outside atomic and d_step is a step that anything else may happen
 * before and after: one atomic load or store of the code, or one look at the time. atomic and d_step stand where the code holds
 * a lock for the whole of it, or where only one of the steps can be seen by others; each says which. What is called ghost is
 * the model's bookkeeping and stands in no code.
 *
 * Key 0 is a leaf; key 1 (with KEYS=2) is a function whose loader reads key 0 through the same node. With LIFE entries die,
 * and fences of that age are forgotten.
 *
 * Checked: whatever a read returns (a hit, a join, a load, at the top or inside a loader) is
 *   exact:   it knows all that had been applied when the read began,
 *   bounded: it knows all that the stream had stored MAX before the read began,
 *   mortal:  from the cache, nothing whose load began LIFE before the read, not even inside a parent.
 * No store replaces a load by one that began earlier, and every read ends (else: invalid end state).
 */
#ifndef READERS
#define READERS 2
#endif
#ifndef KEYS
#define KEYS 1
#endif
#ifndef EVENTS
#define EVENTS 2
#endif
#ifndef MAX
#define MAX 1 /* MaxStaleness */
#endif
#ifndef TMAX
#define TMAX 2
#endif
#define LOADS (KEYS * READERS + KEYS + 1)

byte now;       /* the node's monotonic clock */
byte clock = 1; /* fence.Fence.clock */
byte lease;     /* fence.Gate.Lease: its end */
byte fence[KEYS]; /* of the label of each key; 0 = none, or forgotten */
byte truth[KEYS]; /* the source: how often each key was changed */

byte nev; /* events the stream has stored, each with what it names and when it was stored */
byte evMask[EVENTS + 1], evAt[EVENTS + 1];
byte evOf[EVENTS + 1];  /* ghost: truth as of each, both keys */
byte applied[KEYS];     /* ghost: changes of each key whose invalidation is complete */

typedef Load { /* a flight, and the entry it becomes: read through its number, as the code does through pointers */
	byte birth, own, child, memo;
	bit done;
#ifdef LIFE
	byte start, expires;
	bit stored
#endif
};
Load ld[LOADS];
byte nld;
byte cache[KEYS];  /* the entry of each key, 0 = none */
byte flight[KEYS]; /* flight.Group.flights */
#ifdef LIFE
byte fenceAt[KEYS]; /* when it was raised */
bit klock[KEYS];    /* tiers.locks */
#endif
#ifdef MUTANT_FLIGHTS_OWN_VERDICT
bit verdict[LOADS];
#endif
mtype = { LEAD, SHARE, CHECK, QUEUE };

#define lower(a, b) (((a) < (b)) -> (a) : (b))
#define upper(a, b) (((a) > (b)) -> (a) : (b))
#define old(i, k) ((i <= nev && evAt[i] + MAX <= now) -> ((evMask[i] >> (k)) & 1) : 0)
#if EVENTS == 2
#define bound(k) (old(1, k) + old(2, k))
#else
#define bound(k) (old(1, k))
#endif
#define need(k) upper(applied[k], bound(k))

/* fence.Fence.Check: one atomic load a label. */
inline Check(k, e) {
	v = (fence[k] <= ld[e].birth);
#if KEYS > 1 && !defined(MUTANT_LABELS_STAY)
	if
	:: k == 1 && v -> v = (fence[0] <= ld[e].birth)
	:: else
	fi
#endif
}

/* core.findHot (the load of e, merged with the beginning of the read by its callers), then fence.Gate.Read with the entry's
   Memo, then settings.serve. */
inline Cached(k, e) {
	if
	:: e == 0
	:: else ->
#ifdef MUTANT_TIME_FIRST
		nw = now;
#endif
#ifndef MUTANT_LEASE_LAST
		le = lease; /* 1. the lease's end */
#endif
#ifndef MUTANT_MEMO_AFTER
		clk = clock; /* 2. the clock, then what is remembered or the fences */
#endif
		if
#ifdef MUTANT_MEMO_AFTER
		:: ld[e].memo == clock -> v = 1
#else
		:: ld[e].memo == clk -> v = 1
#endif
		:: else ->
			Check(k, e);
			if
			:: v ->
#ifdef MUTANT_MEMO_AFTER
				clk = clock;
#endif
				ld[e].memo = clk
			:: else
			fi
		fi;
#ifdef MUTANT_LEASE_LAST
		le = lease;
#endif
		d_step { /* 3. the time; the rest is the caller's own */
#ifndef MUTANT_TIME_FIRST
			nw = now;
#endif
			if
#ifdef LIFE
			:: v && nw < le && nw < ld[e].expires
#else
			:: v && nw < le
#endif
			:: else -> e = 0
			fi;
			le = 0; clk = 0; nw = 0; v = 0
		}
	fi
}

/* fence.Gate.Ask. */
inline Ask() {
#ifdef MUTANT_CLOCK_BEFORE_LEASE
	clk = clock;
	le = lease;
#else
	le = lease;
	clk = clock;
#endif
	d_step { leased = (now < le); le = 0 } /* one look at the time */
}

/* flight.Group.Enter, whole under Group.mu; the time at which a load starts is read before. */
inline Enter(k) {
#ifdef LIFE
	nw = now;
#endif
	d_step {
		if
		:: !asked -> asked = 1; after = nld
		:: else
		fi;
		f = flight[k];
		if
		:: f == 0 ->
			nld++;
			f = nld;
			flight[k] = f;
			ld[f].birth = clock;
#ifdef LIFE
			ld[f].start = nw;
			ld[f].expires = nw + LIFE;
#endif
			step = LEAD
#ifdef MUTANT_UNLEASED_SHARES
		:: f != 0 && !leased -> step = (ld[f].birth >= clk -> SHARE : QUEUE)
#else
		:: f != 0 && !leased -> step = (f > after -> SHARE : QUEUE)
#endif
#ifdef MUTANT_JOIN_UNCHECKED
		:: f != 0 && leased -> step = SHARE
#else
		:: f != 0 && leased -> step = (ld[f].birth >= clk -> SHARE : CHECK)
#endif
		fi;
		nw = 0
	}
}

/* core.wait and the end of core.fly: r is the flight if it is good for this caller, else 0 and the caller enters again. */
inline Join(k, r) {
	ld[f].done; /* Flight.Done */
	if
	:: step == SHARE -> r = f
	:: step == QUEUE
	:: step == CHECK -> /* fence.Gate.Valid: the caller's own check, after the end */
#ifdef MUTANT_FLIGHTS_OWN_VERDICT
		r = (verdict[f] -> f : 0)
#else
		le = lease;
		Check(k, f);
		d_step { /* one look at the time */
			if
#if defined(LIFE) && !defined(MUTANT_JOIN_BEYOND_REACH)
			:: v && now < le && now < ld[f].start + LIFE -> r = f
#else
			:: v && now < le -> r = f
#endif
			:: else
			fi;
			le = 0; v = 0
		}
#endif
	fi
}

/* core.store with fence.Gate.Admit, under the lock of the key: other stores of the key wait, fences do not. Without LIFE the
   order of starts is not followed. */
inline Store(k, e) {
#ifdef LIFE
	atomic { !klock[k]; klock[k] = 1 }
#endif
#ifdef MUTANT_STORE_UNADMITTED
	v = 1;
#else
#ifdef LIFE
	v = (cache[k] == 0 || ld[cache[k]].start <= ld[e].start);
	if
	:: v -> Check(k, e)
	:: else
	fi;
#else
	Check(k, e);
#endif
#endif
	d_step { /* one look at the time, Set, Unlock */
		if
#ifdef LIFE
		:: v && now < ld[e].expires ->
			assert(cache[k] == 0 || ld[cache[k]].start <= ld[e].start);
			ld[e].stored = 1;
#else
		:: v ->
#endif
#ifdef MUTANT_BORN_REMEMBERED
			ld[e].memo = clock;
#endif
			cache[k] = e
		:: else
		fi;
		v = 0;
#ifdef LIFE
		klock[k] = 0
#endif
	}
}

/* flight.Group.End, under Group.mu. */
inline End(k, e, r) {
#ifdef MUTANT_FLIGHTS_OWN_VERDICT
	Check(k, e);
	verdict[e] = v;
#endif
	d_step { ld[e].done = 1; flight[k] = 0; r = e; f = 0; v = 0 }
}

/* Readers are alike: they begin in the order of their numbers. A nested read has begun with its parent. */
byte began, leaves;
inline first() {
	if
	:: began >= number - 1 -> began = upper(began, number)
	fi
}

/* A read of key 0; r is the load whose value it returns. */
inline GetLeaf(r, wanted) {
	atomic { /* the read begins; core.findHot */
		first();
		wanted = need(0);
		r = cache[0];
#ifdef LIFE
		begun = now
#endif
	}
	Cached(0, r);
	if
	:: r != 0 ->
#ifdef LIFE
		assert(begun < ld[r].start + LIFE); /* mortal */
#endif
		skip
	:: else ->
		Ask();
		do
		:: r != 0 -> break
		:: r == 0 ->
			Enter(0);
			if
			:: step == LEAD -> /* job.settle */
				ld[f].own = truth[0]; /* the loader */
#ifdef MUTANT_BORN_LATE
				ld[f].birth = clock;
#endif
				if
				:: leased -> Store(0, f)
				:: else
				fi;
				End(0, f, r)
			:: else -> Join(0, r)
			fi
		od;
		atomic { clk = 0; after = 0; asked = 0; leased = 0; f = 0; step = 0 }
	fi;
	d_step { /* exact, bounded */
		assert(ld[r].own >= wanted);
		wanted = 0;
#ifdef LIFE
		begun = 0
#endif
	}
}

#if KEYS > 1
/* A read of key 1, whose loader reads key 0. While the loader runs the caller waits, and its variables serve the nested read. */
inline GetParent() {
	atomic {
		first();
		need0 = need(0);
		need1 = need(1);
		r1 = cache[1];
#ifdef LIFE
		parentBegun = now
#endif
	}
	Cached(1, r1);
	if
	:: r1 != 0 ->
#ifdef LIFE
		assert(parentBegun < ld[r1].start + LIFE && parentBegun < ld[ld[r1].child].start + LIFE);
#endif
		skip
	:: else ->
		Ask();
		do
		:: r1 != 0 -> break
		:: r1 == 0 ->
			Enter(1);
			if
			:: step == LEAD ->
				d_step { pf = f; pleased = leased; clk = 0; after = 0; asked = 0; leased = 0; f = 0; step = 0 }
				if /* its own data before or after what it reads */
				:: ld[pf].own = truth[1]; GetLeaf(r0, needNested)
				:: GetLeaf(r0, needNested); ld[pf].own = truth[1]
				fi;
				d_step { /* depend.Record.Close: what was read, and when it expires */
					ld[pf].child = r0;
#if defined(LIFE) && !defined(MUTANT_OWN_EXPIRY)
					ld[pf].expires = lower(ld[pf].expires, (ld[r0].stored -> ld[r0].expires : 0));
#endif
					r0 = 0
				}
#ifdef MUTANT_PARENT_BORN_LATE
				ld[pf].birth = clock;
#endif
				if
				:: pleased -> Store(1, pf)
				:: else
				fi;
				End(1, pf, r1);
				d_step { pf = 0; pleased = 0 }
			:: else -> Join(1, r1)
			fi
		od;
		atomic { clk = 0; after = 0; asked = 0; leased = 0; f = 0; step = 0 }
	fi;
	d_step {
		assert(ld[r1].own >= need1 && ld[ld[r1].child].own >= need0);
		need0 = 0; need1 = 0; r1 = 0;
#ifdef LIFE
		parentBegun = 0
#endif
	}
}
#endif

proctype Reader(byte number) {
	byte le, clk, nw, after, f, r0, need0;
	mtype step;
	bit v, leased, asked;
#ifdef LIFE
	byte begun;
#endif
#if KEYS > 1
	byte pf, r1, need1, needNested;
	bit pleased;
#ifdef LIFE
	byte parentBegun;
#endif
	if
	:: GetParent()
	:: atomic { leaves < READERS - 1 -> leaves++ }; GetLeaf(r0, need0) /* leaves alone are the runs with one key */
	fi
#else
	GetLeaf(r0, need0)
#endif
}

/* The node's loop: bus.arrived, node.forget, fence.Fence.Invalidate under Fence.mu. It applies what the stream has stored, the
   next event or one that overtook it. It renews the lease as far as its cursor proves, which cursor.pml shows it may: as of
   now, or of the moment before the first event it has not passed. */
proctype Loop() {
	byte at, cursor;
	bit done[EVENTS + 1];
end:	do
	:: cursor < nev -> /* done[cursor + 1] never holds here */
		if
		:: at = cursor + 1
		:: cursor + 2 <= nev && !done[cursor + 2] -> at = cursor + 2
		fi;
#ifdef MUTANT_CLOCK_FIRST
#define STAMP clock
		clock++;
#else
#define STAMP (clock + 1)
#endif
		if
		:: evMask[at] & 1 ->
			d_step { /* one atomic store */
				fence[0] = STAMP;
#ifdef LIFE
				fenceAt[0] = now
#endif
			}
		:: else
		fi;
#if KEYS > 1
		if
		:: evMask[at] & 2 ->
			d_step {
				fence[1] = STAMP;
#ifdef LIFE
				fenceAt[1] = now
#endif
			}
		:: else
		fi;
#endif
		atomic {
#ifndef MUTANT_CLOCK_FIRST
			clock++; /* the clock, last: one atomic store; the rest is ghost, or the loop's own */
#endif
			applied[0] = upper(applied[0], evOf[at] & 15);
#if KEYS > 1
			applied[1] = upper(applied[1], evOf[at] >> 4);
#endif
			done[at] = 1;
			at = 0;
			do
			:: cursor < nev && done[cursor + 1] -> cursor++
			:: else -> break
			od
		}
	:: d_step { /* handler.Lease: one atomic store */
		lease < (cursor < nev -> lower(now, evAt[cursor + 1]) : now) + MAX ->
		lease = (cursor < nev -> lower(now, evAt[cursor + 1]) : now) + MAX
	   }
	od
}

/* The source and its stream: a change is committed and its event stored. (Where the event comes later than the commit, loads
   know more than they have to.) */
proctype Writer() {
end:	do
	:: atomic { nev < EVENTS ->
		nev++;
		evAt[nev] = now;
#if KEYS > 1
		if /* of the leaf, or of both at once; one of the parent alone is the other runs' leaf */
		:: evMask[nev] = 1
		:: evMask[nev] = 3
		fi;
		truth[1] = truth[1] + (evMask[nev] >> 1);
		evOf[nev] = truth[1] << 4;
#else
		evMask[nev] = 1;
#endif
		truth[0] = truth[0] + (evMask[nev] & 1);
		evOf[nev] = evOf[nev] + truth[0]
	   }
	od
}

proctype Time() {
end:	do
	:: now < TMAX -> now++
	od
}

#ifdef LIFE
/* fence.generations.next: what was raised LIFE ago may be forgotten. */
proctype Rotate() {
end:	do
	:: d_step { fence[0] && now >= fenceAt[0] + LIFE -> fence[0] = 0; fenceAt[0] = 0 }
#if KEYS > 1
	:: d_step { fence[1] && now >= fenceAt[1] + LIFE -> fence[1] = 0; fenceAt[1] = 0 }
#endif
	od
}
#endif

#ifdef LIFE
#define warm(i) ld[i].birth = 1; ld[i].done = 1; ld[i].expires = LIFE; ld[i].stored = 1
#else
#define warm(i) ld[i].birth = 1; ld[i].done = 1
#endif

init {
	byte i;
	atomic {
		if /* the lease has lapsed, or was granted at 0 */
		:: lease = 0
		:: lease = MAX
		fi;
		if /* cold, or with what was loaded at 0 */
		:: skip
		:: warm(1); cache[0] = 1; nld = 1;
#if KEYS > 1
		   warm(2); cache[1] = 2; nld = 2; ld[2].child = 1
#endif
		fi;
		for (i : 1 .. READERS) { run Reader(i) }
		i = 0;
#ifdef LIFE
		run Rotate();
#endif
		run Loop(); run Writer(); run Time()
	}
}
