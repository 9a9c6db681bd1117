// The page of one node: its status, its fleet, one read at a time, and its events. Everything shown goes through textContent.

const $ = (id) => document.getElementById(id);
const rows = 200;

function element(name, text) {
  const e = document.createElement(name);
  e.textContent = text;
  return e;
}

async function ask(path, options) {
  const response = await fetch(path, options);
  const body = await response.json();
  if (!response.ok) throw new Error(`${response.status}: ${body.error}`);
  return body;
}

async function status() {
  try {
    const s = await ask("/v1/status");
    $("who").textContent = `${named(s)} in fleet ${s.fleet}`;
    $("state").textContent = s.state;
    $("state").dataset.state = s.state;
    document.title = `${s.node}: ${s.state}`;
    $("status").replaceChildren(...Object.entries({
      ...(s.why ? { why: s.why } : {}), "so for": seconds(s.sinceMs), cursor: s.cursor, last: s.last, "lease age": `${s.leaseAgeMs} ms`, entries: s.entries, bytes: s.bytes,
      resets: s.resets, "gaps healed": s.gapsHealed, outbox: outbox(s.outbox), version: s.version,
    }).map(([name, value]) => {
      const pair = document.createElement("div");
      pair.append(element("dt", name), element("dd", String(value)));
      return pair;
    }));
  } catch (error) {
    $("state").textContent = "unreachable";
    $("state").dataset.state = "unreachable";
  }
}

// seconds is how long a node has been as it is; of one that is silent it is not known.
function seconds(ms) {
  return ms ? `${(ms / 1000).toFixed(0)} s` : "-";
}

// outbox is how many changes wait to be announced, and for how long; "?" where the database does not answer.
function outbox(o) {
  if (!o) return "-";
  const age = o.depth !== 0 && o.oldestMs !== null ? ` (${(o.oldestMs / 1000).toFixed(0)} s)` : "";
  const parked = o.parked ? `, ${o.parked} parked` : "";
  const why = o.error ? `: ${o.error}` : "";
  return `${o.depth ?? "?"}${age}${parked}${why}`;
}

// named is the name of a node, and how many living nodes bear it where it is not one.
function named(n) {
  return n.duplicates ? `${n.node} (${n.duplicates + 1} instances!)` : n.node;
}

// A node that is known by its name alone has told nothing of itself.
async function nodes() {
  let list = [];
  try {
    ({ nodes: list } = await ask("/v1/nodes"));
  } catch (error) {
    list = [];
  }
  $("nodes").replaceChildren(...list.map((n) => {
    const row = document.createElement("tr");
    const told = n.epoch ? [n.cursor, n.behind, `${n.leaseAgeMs} ms`, n.entries, n.resets] : ["-", "-", "-", "-", "-"];
    row.append(...[named(n), n.why ? `${n.state}: ${n.why}` : n.state, seconds(n.sinceMs), ...told, outbox(n.outbox), n.version || "-", n.seenMs ? `${(n.seenMs / 1000).toFixed(1)} s ago` : "now"]
      .map((text) => element("td", String(text))));
    return row;
  }));
  setTimeout(nodes, 3000);
}

async function functions() {
  const { functions } = await ask("/v1/functions");
  $("function").replaceChildren(...(functions ?? []).map((f) => element("option", f.name)));
}

async function show(work) {
  try {
    $("answer").textContent = JSON.stringify(await work(), null, 2);
  } catch (error) {
    $("answer").textContent = error.message;
  }
}

function address(rest = "") {
  const name = encodeURIComponent($("function").value);
  return `/v1/functions/${name}${rest}?arg=${encodeURIComponent($("argument").value)}`;
}

$("read").addEventListener("submit", (event) => {
  event.preventDefault();
  show(() => ask(address()));
});
$("explain").addEventListener("click", () => show(() => ask(address("/explain"))));
$("forget").addEventListener("click", () => show(() => ask("/v1/invalidate", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({
    targets: [{ function: $("function").value, args: [$("argument").value] }], reason: "by hand, from the page",
  }),
})));

function target(t) {
  const soft = t.soft ? " (soft)" : "";
  if (t.all) return "everything" + soft;
  if (t.tag) return t.tag + soft;
  if (t.tagPrefix) return t.tagPrefix + "…" + soft;
  return t.function + (t.args ? JSON.stringify(t.args) : t.argsHash ? `#${t.argsHash}` : "") + soft;
}

// who made the change, and how that is known: what callers say of themselves is claimed. The words are those of lethe-publisher watch.
function who(e) {
  const claimed = (text) => `${text} (claimed)`;
  if (!e.authtype && !e.authid) return e.letheclaim ? claimed(e.letheclaim) : "";
  const known = { unauthenticated: "claimed", unknown: "claimed", api_key: "authenticated" }[e.authtype ?? "unknown"] ?? e.authtype;
  return `${e.authid ?? ""} (${known})`.trim() + (e.letheclaim ? ` for ${claimed(e.letheclaim)}` : "");
}

const events = new EventSource("/v1/events");
events.addEventListener("message", (message) => {
  const e = JSON.parse(message.data);
  const row = document.createElement("tr");
  row.append(
    element("td", e.time ? new Date(e.time).toLocaleTimeString() : ""),
    element("td", message.lastEventId.split(".").at(-1)),
    element("td", (e.data?.targets ?? []).map(target).join(", ")),
    element("td", e.data?.reason ?? ""),
    element("td", who(e)),
    element("td", e.source),
  );
  $("events").prepend(row);
  while ($("events").childElementCount > rows) $("events").lastChild.remove();
});

functions().catch((error) => { $("answer").textContent = error.message; });
status();
nodes();
setInterval(status, 2000);
