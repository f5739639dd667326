// The status page: it draws what /events sends, once a second. Text from pen only ever becomes text nodes.
"use strict";

const at = id => document.getElementById(id);

// make returns an element with a class and children, which are elements or text.
function make(name, kind, ...children) {
  const e = document.createElement(name);
  if (kind) e.className = kind;
  e.append(...children.map(c => c instanceof Node ? c : String(c)));
  return e;
}

function bytes(n) {
  for (const unit of ["B", "kB", "MB", "GB", "TB"]) {
    if (n < 1000 || unit === "TB") return (n < 10 && unit !== "B" ? n.toFixed(1) : Math.round(n)) + " " + unit;
    n /= 1000;
  }
}

// age takes nanoseconds.
function age(ns) {
  const s = ns / 1e9;
  if (s < 120) return Math.round(s) + " s";
  if (s < 7200) return Math.round(s / 60) + " min";
  return Math.round(s / 3600) + " h";
}

const rate = n => (n < 10 ? n.toFixed(1) : Math.round(n)) + "/s";

// spark draws the rates of the last minute.
function spark(history) {
  const space = "http://www.w3.org/2000/svg", width = 59, height = 20;
  const top = Math.max(1, ...history), start = width - history.length + 1;
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", `0 -1 ${width} ${height + 2}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "connections a second, at most " + rate(top));
  const line = document.createElementNS(space, "polyline");
  line.setAttribute("points", history.map((v, i) => `${start + i},${(height - height * v / top).toFixed(1)}`).join(" "));
  svg.append(line);
  return svg;
}

// order has pen do something; the answer is shown if there is one.
async function order(what) {
  let text;
  try {
    const reply = await fetch("command", {
      method: "POST", headers: {"X-Pen-Token": at("token").value, "Content-Type": "application/json"}, body: JSON.stringify(what),
    });
    text = await reply.text();
  } catch (err) {
    text = String(err);
  }
  at("answer").textContent = text;
  at("answer").hidden = text === "";
}

function button(label, what) {
  const b = make("button", "", label);
  b.type = "button";
  b.dataset.do = JSON.stringify(what);
  return b;
}

const places = {"-1": "emergency", "-2": "abuse"};

function server(v, service, admin) {
  const card = make("article", "server " + v.state,
    make("h3", "", v.address, " ", make("span", "dim", places[v.index] || "#" + v.index)),
    make("p", "", make("span", "state", v.state), v.why ? " – " + v.why : ""),
    spark(v.history),
    make("p", "", rate(v.history.at(-1)), " · ", v.active + (v.max ? "/" + v.max : "") + " active · ", v.connects + " in all",
      v.failed ? " · " + v.failed + " failed" : ""),
    make("p", "dim", "from it " + bytes(v.in) + "/s · to it " + bytes(v.out) + "/s"));
  if (admin && v.index >= 0) {
    for (const what of ["ready", "drain", "maint"]) card.append(button(what, {do: what, service, server: v.index}));
  }
  return card;
}

function service(v, admin) {
  const facts = `${rate(v.rate)} · ${v.accepted} clients` + (v.unserved ? ` · ${v.unserved} unserved` : "") + (v.denied ? ` · ${v.denied} denied` : "");
  return make("section", "", make("h2", "", v.name, " ", make("span", "dim", v.listen)), make("p", "note", facts),
    make("div", "servers", ...v.servers.map(s => server(s, v.name, admin))));
}

function row(...cells) {
  return make("tr", "", ...cells.map(c => c instanceof Node ? make("td", "", c) : make("td", typeof c === "number" ? "n" : "", c)));
}

const right = text => make("td", "n", text);

function draw(v) {
  at("totals").textContent = `${v.connections} of ${v.connections_max} connections · ${v.clients_known} clients known`;
  at("key").hidden = !v.admin;
  at("services").replaceChildren(...v.services.map(s => service(s, v.admin)));
  at("happened").replaceChildren(...v.happened.toReversed().map(h =>
    make("li", "", make("time", "", new Date(h.time).toLocaleTimeString()), h.text)));
  if (v.happened.length === 0) at("happened").append(make("li", "dim", "none since pen began to look"));
  at("clients").replaceChildren(...(v.clients || []).map(c => {
    const r = row(c.Address, c.Service, c.Server || "–", c.Connects);
    r.append(right(age(c.Age)));
    return r;
  }));
  at("open").replaceChildren(...(v.open || []).map(c => {
    const r = row(c.Number, c.Client, c.Server || "–", c.State);
    r.append(right(age(c.Age)), right(bytes(c.Sent)), right(bytes(c.Received)), make("td", "", v.admin ? button("close", {do: "close", connection: c.Number}) : ""));
    return r;
  }));
}

at("key").addEventListener("submit", e => e.preventDefault());

document.addEventListener("click", e => {
  if (e.target.dataset.do) order(JSON.parse(e.target.dataset.do));
});

// A press must end on the button that it began on, and the keyboard must not lose its place: nothing is drawn during the
// one, and the other is found again.
let pressed = false;
document.addEventListener("pointerdown", () => { pressed = true; });
for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => { pressed = false; });

function redraw(v) {
  if (pressed) return;
  const focus = document.activeElement.dataset.do;
  draw(v);
  if (focus) [...document.querySelectorAll("button")].find(b => b.dataset.do === focus)?.focus();
}

function say(text, kind) {
  at("link").textContent = text;
  at("link").className = kind;
}

const source = new EventSource("events");
source.onmessage = e => { say("live", "live"); redraw(JSON.parse(e.data)); };
source.onerror = () => say("the connection to pen is lost; trying again", "lost");
