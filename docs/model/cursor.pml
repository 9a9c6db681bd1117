/*
 * The cursor with its lease: one node that follows a stream over a feed that loses, reorders and delays, on servers that are
 * cut off, lag, lose their tail and number anew, are truncated at the head or created anew.
 *
 * README.md maps every step to the Go code. Each step of the node is atomic since the loop's goroutine alone touches the
 * Follower, and what the loop does in one go others see as one: they see loads invalidated, a lease and a position. Server,
 * network, time and loads go on between any two steps.
 *
 * A load stands for all: it may begin at any moment, knows what was stored by then, and is gone when something it does not
 * know is applied, or everything fenced. Whether it is in flight or in the cache makes no difference (fence.pml).
 *
 * Checked, in every state, for every event of the stream that a load does not know:
 *   applied: if its sequence is at or below the cursor of a node that is sure of its stream (which is when Wait returns),
 *            the load is gone;
 *   bounded: if it was stored MAX ago, the load is gone or the lease has ended.
 * Events that the servers lost are nobody's, until another node that saw one says "lost".
 */
#ifndef N
#define N 3 /* messages */
#endif
#ifndef TMAX
#define TMAX 2
#endif
#ifndef MAX
#define MAX 1
#endif
#ifndef CUTS
#define CUTS 1 /* disconnections */
#endif

mtype = { RESETTING, SETTLING, FOLLOWING, IDLE, SERVED };

/* The world. Messages are numbered as they are stored: the number is the identity that the code takes from the timestamp. */
byte now = 1;
byte nid;
byte seqOf[N + 1], at[N + 1];
bit alive[N + 1]; /* in the stream, or aged out of it; not lost */
bit tick[N + 1];  /* says nothing */
bit lostWord[N + 1]; /* says "sequences were reused" */
byte rlog[N + 1], rfirst = 1, rlast, repoch = 1;
bit stale;  /* the node's side is cut off with a leader that has no quorum */
byte slast; /* where the log ended then */
bit fly[N + 1]; /* on the live feed, on its way to the node */
bit up;
byte view; /* a load that knows the messages below this number; 0 = none */
byte cuts, crashes, told, partitions, creations, truncations;

/* The node: cursor.Follower, Cursor, Lease. 0 is no message, no time, no claim. */
mtype phase = RESETTING;
byte epoch, cseq, cid, floorSeq, floorId, known;
bit verified;
byte held[N + 2], heldAt[N + 2], past[N + 1];
byte liveAt, asOf;
byte wordTarget, wordAt, ackTarget, ackAt; /* claims */
byte heard, end0, ownLost;
bit lost, first;

mtype ask = IDLE;
byte askAt, askSince, ansLast, ansId, ansFirst, ansEpoch;
mtype pub = IDLE;
byte pubAt, pubKnown, pubSeq;
bit dup;

#define seenLast (stale -> slast : rlast)
#define leased (asOf && now < asOf + MAX)
#define ignorant(i) (i <= nid && alive[i] && !tick[i] && view && i >= view)
#define sure (phase != RESETTING && up && verified && epoch == repoch)
#define bad(i) (ignorant(i) && (leased && at[i] + MAX <= now || sure && seqOf[i] <= cseq))
#if N == 3
#define broken (bad(1) || bad(2) || bad(3))
#elif N == 4
#define broken (bad(1) || bad(2) || bad(3) || bad(4))
#elif N == 5
#define broken (bad(1) || bad(2) || bad(3) || bad(4) || bad(5))
#endif

/* The server stores a message: a PubAck is possible from here on, and a copy goes onto the feed. */
inline Stored(isTick, isLost) {
	nid++;
	rlast++;
	rlog[rlast] = nid;
	seqOf[nid] = rlast;
	at[nid] = now;
	alive[nid] = 1;
	tick[nid] = isTick;
	lostWord[nid] = isLost;
	fly[nid] = up && !stale
}

/* handler.FenceAll, node.forget. */
inline Fence() { view = 0 }
inline Apply(i) {
	if
	:: !tick[i] && !lostWord[i] -> view = 0
	:: else
	fi
}

/* Cursor.unverify. */
inline Unverify() {
	verified = 0;
	for (j : 1 .. N) { held[j] = 0; heldAt[j] = 0 }
	j = 0
}

inline NoAsk() { ask = IDLE; askAt = 0; askSince = 0; ansLast = 0; ansId = 0; ansFirst = 0; ansEpoch = 0 }
inline NoPub() { pub = IDLE; pubAt = 0; pubKnown = 0; pubSeq = 0; dup = 0 }

/* Lease.drop, Lease.disclaim. */
inline Disclaim() { wordTarget = 0; wordAt = 0; ackTarget = 0; ackAt = 0 }

/* Follower.reset. */
inline Reset(reuse) {
	phase = RESETTING;
	lost = lost || (reuse);
	asOf = 0;
	Disclaim();
	Fence();
	Unverify();
	NoAsk();
	NoPub();
	heard = 0;
	cseq = 0; cid = 0; known = 0; liveAt = 0; floorSeq = 0; floorId = 0; /* nothing reads them until the answer is there */
	for (j : 1 .. N) { past[j] = 0 }
	j = 0;
	doubt = 1
}

/* Follower.resetTo, Cursor.reset. */
inline ResetTo() {
#ifndef MUTANT_ONE_FENCE
	Fence();
#endif
	epoch = ansEpoch;
	cseq = ansLast; cid = ansId; floorSeq = ansLast; floorId = ansId; known = ansLast;
	verified = 1;
	if
	:: ansLast -> past[ansLast] = ansId
	:: else
	fi;
	asOf = 0;
	Disclaim();
	end0 = ansLast;
	phase = SETTLING;
	first = 1
}

/* Cursor.time: what is known to stand at a sequence; 0 = nothing. */
#define timeOf(s) ((s == cseq && cid) -> cid : (held[s] -> held[s] : past[s]))
#ifdef MUTANT_TIMESTAMPS_UNCOMPARED
#define other(s, i) 0
#else
#define other(s, i) (timeOf(s) && timeOf(s) != (i))
#endif
#define vacant(s) ((s) == cseq && cid == 0)

/* Cursor.pass, Cursor.drain. */
inline Pass(s, i, t) {
	cseq = s;
	cid = i;
	past[s] = i;
	if
	:: t -> liveAt = t
	:: else
	fi
}
inline Drain() {
	do
	:: verified && held[cseq + 1] && held[cseq + 1] > cid ->
		cseq++;
		Pass(cseq, held[cseq], heldAt[cseq]);
		held[cseq] = 0; heldAt[cseq] = 0
	:: else -> break
	od
}

/* Lease.settle, at the end of each call of the Follower (Follower.run). */
#define agreed lowest(wordAt, liveAt)
#define lowest(a, b) (((a) < (b)) -> (a) : (b))
inline Settle() {
	if
	:: phase != RESETTING && verified ->
		if
#ifdef MUTANT_ACK_WITHOUT_CURSOR
		:: ackAt ->
#else
		:: ackAt && ackTarget <= cseq ->
#endif
			if
			:: ackAt > asOf -> asOf = ackAt; phase = FOLLOWING
			:: else
			fi;
			ackAt = 0; ackTarget = 0
		:: else
		fi;
		if
#ifdef MUTANT_WORD_WITHOUT_CURSOR
		:: wordAt ->
#else
		:: wordAt && wordTarget <= cseq ->
#endif
			if
#ifdef MUTANT_WORD_WITHOUT_FEED
			:: wordAt > asOf -> asOf = wordAt
#else
			:: agreed > asOf -> asOf = agreed
#endif
			:: else
			fi;
			if
			:: wordAt <= asOf -> wordAt = 0; wordTarget = 0
			:: else
			fi
		:: else
		fi
	:: else
	fi
}

/* Follower.Lost. */
inline Lost(i) {
	if
#ifdef MUTANT_LOST_UNHEARD
	:: 1
#endif
	:: i == ownLost || (seqOf[i] <= end0 && phase != RESETTING)
	:: i != ownLost && phase == RESETTING ->
		if
		:: seqOf[i] > heard -> heard = seqOf[i]
		:: else
		fi
	:: i != ownLost && phase != RESETTING && seqOf[i] > end0 -> Reset(0)
	fi
}

/* bus.arrived: apply, then Follower.Live with Cursor.live. */
inline Live(i) {
	s = seqOf[i];
	Apply(i);
	if
	:: lostWord[i] -> Lost(i)
	:: else
	fi;
	if
	:: phase == RESETTING
	:: phase != RESETTING && other(s, i) -> Reset(1)
	:: phase != RESETTING && !other(s, i) && timeOf(s)
	:: phase != RESETTING && !timeOf(s) && s <= floorSeq ->
		if
		:: i > floorId -> Reset(1)
		:: else
		fi
	:: phase != RESETTING && !timeOf(s) && s > floorSeq && s <= cseq -> Reset(1)
	:: phase != RESETTING && !timeOf(s) && s > floorSeq && s > cseq ->
		if
		:: s > known -> known = s
		:: else
		fi;
#ifdef MUTANT_HELD_COUNTS_AS_LIVE
		liveAt = now;
#endif
		if
#ifdef MUTANT_HOLE_JUMPED
		:: verified -> Pass(s, i, now); Drain()
#elif defined(MUTANT_RECONNECT_UNVERIFIED)
		:: s == cseq + 1 -> verified = 1; Pass(s, i, now); Drain()
#else
		:: verified && s == cseq + 1 -> Pass(s, i, now); Drain()
#endif
		:: else -> held[s] = i; heldAt[s] = now
		fi
	fi;
	s = 0;
	Settle()
}

/* Follower.Answered with Cursor.answer. */
inline Answered() {
	doubt = 0;
	if
	:: phase == RESETTING && ansLast < heard -> heard = 0
	:: phase == RESETTING && ansLast >= heard -> ResetTo()
	:: phase != RESETTING ->
		if
		:: ansEpoch != epoch -> Reset(0)
		:: else ->
			if
			:: ansLast < askSince -> Reset(1)
			:: ansLast >= askSince && !verified && cid == 0 -> Reset(0)
			:: ansLast >= askSince && !(!verified && cid == 0) && ansId && (other(ansLast, ansId) || vacant(ansLast)) -> Reset(1)
			:: else ->
				if
#ifdef MUTANT_HEAD_UNSEEN
				:: 0
#else
				:: ansFirst > cseq + 1 -> Reset(0)
#endif
				:: else ->
					if
					:: ansLast > known -> known = ansLast
					:: else
					fi;
					if
					:: !verified && ansLast == cseq && cid != ansId -> Reset(0)
					:: !verified && ansLast == cseq && cid == ansId -> verified = 1; Drain()
					:: else
					fi;
					if
#ifdef MUTANT_AS_OF_THE_ANSWER
					:: !doubt && phase == FOLLOWING && now > asOf -> wordTarget = ansLast; wordAt = now
#else
					:: !doubt && phase == FOLLOWING && askAt > asOf -> wordTarget = ansLast; wordAt = askAt
#endif
					:: else
					fi
				fi
			fi
		fi
	fi;
	doubt = 0;
	NoAsk();
	Settle()
}

/* bus.fetch, Follower.Fetched with Cursor.fetched: the messages up to a replica's end u, from the cursor on; f is the first. */
inline Fetched(u) {
	doubt = 0;
#ifdef MUTANT_FETCH_BEHIND_THE_CURSOR
	s = cseq + 1;
	verified = 1;
#else
	s = (cseq -> cseq : 1);
#endif
	if
	:: s < rfirst -> s = rfirst
	:: else
	fi;
	f = s;
	do
	:: doubt || s > u -> break
	:: else ->
		i = rlog[s];
		if
		:: timeOf(s) == i
		:: else ->
			Apply(i);
			if
			:: lostWord[i] -> Lost(i)
			:: else
			fi
		fi;
		if
		:: doubt
		:: !doubt && (other(s, i) || vacant(s)) -> Reset(1)
		:: !doubt && !(other(s, i) || vacant(s)) ->
			if
			:: s == f && cseq && s > cseq && cid && !verified -> Reset(0)
			:: s == f && s > cseq + 1 ->
#ifdef MUTANT_HEAD_UNSEEN
				Pass(s, i, 0)
#else
				Reset(0)
#endif
			:: else ->
				if
				:: s == f -> verified = 1
				:: else
				fi;
				if
				:: s <= cseq
				:: s > cseq ->
					if
					:: s > known -> known = s
					:: else
					fi;
#ifdef MUTANT_FETCHED_COUNTS_AS_LIVE
					Pass(s, i, now);
#else
					Pass(s, i, heldAt[s]);
#endif
					held[s] = 0; heldAt[s] = 0
				fi
			fi
		fi;
		s++
	od;
	if
	:: !doubt -> Drain()
	:: else
	fi;
	s = 0; i = 0; f = 0; doubt = 0;
	Settle()
}

/* Follower.Ticked, Follower.acked. */
inline Ticked() {
	if
#ifndef MUTANT_DUPLICATE_COUNTS
	:: dup
#endif
#ifdef MUTANT_DUPLICATE_COUNTS
	:: dup -> ackTarget = pubSeq; ackAt = pubAt
#endif
	:: !dup ->
		first = 0;
		lost = 0;
		if
		:: pubSeq <= pubKnown -> Reset(1)
		:: else ->
			if
			:: pubSeq > known -> known = pubSeq
			:: else
			fi;
			if
			:: pubAt > asOf -> ackTarget = pubSeq; ackAt = pubAt
			:: else
			fi
		fi
	fi;
	doubt = 0;
	NoPub();
	Settle()
}

/* The loop of the node: bus.run. */
proctype Node() {
	byte i, j, s, f, u;
	bit doubt;
end:	do
	:: d_step { up && fly[1] -> fly[1] = 0; Live(1); doubt = 0 }
	:: d_step { up && fly[2] -> fly[2] = 0; Live(2); doubt = 0 }
	:: d_step { up && fly[3] -> fly[3] = 0; Live(3); doubt = 0 }
#if N > 3
	:: d_step { up && fly[4] -> fly[4] = 0; Live(4); doubt = 0 }
#endif
#if N > 4
	:: d_step { up && fly[5] -> fly[5] = 0; Live(5); doubt = 0 }
#endif
	:: d_step { up && ask == SERVED -> Answered() }
	:: atomic { up && phase != RESETTING && (known > cseq || !verified) && rlast ->
		if
		:: u = seenLast
		:: seenLast > 1 -> u = seenLast - 1 /* a replica that lags */
		fi;
		d_step { Fetched(u); u = 0 }
	   }
	:: d_step { pub == SERVED && phase != RESETTING -> Ticked() }
	od
}

/* Follower.Connected, Follower.Disconnected: the loop hears of both before anything else of the connection. */
inline Connect() {
	up = 1;
	if
	:: phase == RESETTING -> Fence()
	:: else
	fi
}
inline Disconnect() {
	up = 0;
	for (j : 1 .. N) { fly[j] = 0 }
	Unverify();
	NoAsk();
	NoPub();
#ifndef MUTANT_FEED_SURVIVES_RECONNECT
	liveAt = 0;
#endif
	Disclaim()
}

#define tickAt(s) (s <= seenLast && rlog[s] && tick[rlog[s]])
#define hasTick (tickAt(1) || tickAt(2) || tickAt(3))
#define tickSeq (tickAt(1) -> 1 : (tickAt(2) -> 2 : 3))

proctype World() {
	byte j;
end:	do
	:: d_step { nid < N -> Stored(0, 0) } /* somebody invalidates something */
	:: view == 0 -> view = nid + 1 /* a load begins */
	:: now < TMAX -> now++
	:: d_step { !up -> Connect() }
	:: d_step { up && ask == IDLE -> /* asked, and what the server knows at once: asked earlier, it would prove less */
		ask = SERVED;
		askAt = now;
		askSince = known;
		ansLast = seenLast;
		ansId = (ansLast >= rfirst -> rlog[ansLast] : 0);
		ansFirst = rfirst;
		ansEpoch = repoch
	   }
	:: d_step { up && pub == IDLE && phase != RESETTING && !stale && nid < N -> /* sent, and stored by a quorum at once */
		pub = SERVED;
		pubAt = now;
		pubKnown = known;
		Stored(1, (first && lost));
		if
		:: first && lost -> ownLost = nid
		:: else
		fi;
		pubSeq = rlast
	   }
	:: d_step { up && pub == IDLE && phase == FOLLOWING && hasTick -> /* a tick of this id is there: no quorum is asked */
		pub = SERVED;
		pubAt = now;
		pubSeq = tickSeq;
		dup = 1
	   }
	:: d_step { up && cuts < CUTS -> cuts++; Disconnect() }
#ifdef PARTITION
	:: atomic { !stale && !partitions -> /* the node's side is with a leader that can store nothing; what was on the way is lost */
		partitions = 1;
		stale = 1;
		slast = rlast;
#if defined(OLDER_LOG) || defined(GAP_PARTITION_AND_DELAY)
		if /* the node comes back to a side that was cut off before the last it has heard of was stored */
		:: slast > 0 && !up -> slast--
		:: skip
		fi;
#endif
#ifndef GAP_PARTITION_AND_DELAY
		for (j : 1 .. N) { fly[j] = 0 }
#endif
		j = 0
	   }
	:: d_step { stale -> stale = 0; slast = 0 }
#endif
#ifdef CRASH
	:: atomic { !stale && !crashes && rlast > 0 -> /* the servers lose the tail, acknowledged or not, and the connection */
		crashes = 1;
#ifndef GAP_CRASH_UNNOTICED
		if
		:: up -> Disconnect()
		:: else
		fi;
#endif
		alive[rlog[rlast]] = 0; rlog[rlast] = 0; rlast--;
		if
		:: rlast > 0 -> alive[rlog[rlast]] = 0; rlog[rlast] = 0; rlast--
		:: skip
		fi
	   }
	:: atomic { crashes && !told && nid < N -> told = 1; Stored(0, 1) } /* another node had seen what was lost */
#endif
#ifdef HEAD
	:: atomic { !truncations && rfirst <= rlast -> truncations = 1;
		rfirst++;
		if
		:: rfirst <= rlast -> rfirst++
		:: skip
		fi
	   }
#endif
#ifdef EPOCH
	:: atomic { !creations -> /* the stream is deleted and created anew, above or from 1 */
		creations = 1;
		if
		:: up -> Disconnect()
		:: else
		fi;
		for (j : 1 .. N) { alive[j] = 0; rlog[j] = 0 }
		j = 0;
		repoch = 2;
		if
		:: skip
		:: rlast = 0
		fi;
		rfirst = rlast + 1
	   }
#endif
	od
}

proctype Monitor() {
end:	d_step { broken -> assert(false) }
}

init { atomic { run Monitor(); run Node(); run World() } }
