// The assigner's web page: one file, nothing from elsewhere. It reads /api/v1/assignment and /api/v1/status every second.

export const ASSIGNER_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Limpet</title>
<style>
  :root { color-scheme: light dark; --line: #8884; --dim: #888; }
  body { font: 14px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 1100px; padding: 20px; }
  h1 { font-size: 20px; margin: 0 0 4px; } h2 { font-size: 14px; margin: 24px 0 6px; }
  .dim { color: var(--dim); } .bad { color: #d33; font-weight: 600; }
  svg { display: block; width: 100%; height: 72px; border: 1px solid var(--line); border-radius: 4px; }
  table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
  th { text-align: left; font-weight: 500; color: var(--dim); } th, td { padding: 3px 8px; border-bottom: 1px solid var(--line); }
  td.n, th.n { text-align: right; } i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 6px; }
  .bar { display: inline-block; height: 8px; border-radius: 2px; vertical-align: middle; }
  input { font: inherit; }
</style>
<h1>Limpet <span class="dim" id="generation"></span></h1>
<div id="summary" class="dim">connecting</div>
<form id="login" hidden>token <input type="password" id="token" autocomplete="off"> <button>show</button></form>
<h2>Key space <span class="dim">one box per slice, as high as its load; with a cap: moving to that one; full height in black or white: held</span></h2>
<svg id="keys" viewBox="0 0 1000 72" preserveAspectRatio="none"></svg>
<h2>Aggregators</h2>
<table><thead><tr><th>resource<th>state<th class="n">slices<th class="n">keys<th class="n">load<th><th class="n">pairs/s<th class="n">state bytes<th class="n">moves</thead>
<tbody id="resources"></tbody></table>
<h2>Latest decisions</h2>
<table><tbody id="decisions"></tbody></table>
<script>
"use strict";
const byId = (id) => document.getElementById(id);
const hue = (id) => { let h = 0; for (const c of id) h = (h * 31 + c.charCodeAt(0)) % 360; return h; };
let order = [];
const color = (id) => id === null ? "currentColor" : "hsl(" + (order.indexOf(id) < 0 ? hue(id) : (210 + order.indexOf(id) * 137.5) % 360) + " 55% 50%)";
const percent = (x) => (100 * x).toFixed(1) + "%";
const count = (n) => Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(n);
const hex = (key) => key.toString(16).padStart(8, "0");
const make = (name, text, cls) => { const e = document.createElement(name); if (text !== undefined) e.textContent = text; if (cls) e.className = cls; return e; };
const shape = (name, attributes) => {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  return e;
};
function drawKeys(slices, rates) {
  const densities = slices.map((s, i) => (rates[i] || 0) / (s.high - s.low));
  const scale = densities.map((d) => Math.sqrt(d));
  const most = Math.max(...scale, 1e-300);
  byId("keys").replaceChildren(...slices.flatMap((s, i) => {
    const x = s.low / 4294967296 * 1000, w = (s.high - s.low) / 4294967296 * 1000;
    const h = s.owner === null ? 72 : 12 + 60 * scale[i] / most;
    const box = shape("rect", { x, y: 72 - h, width: Math.max(w - 0.3, 0.4), height: h, fill: color(s.owner) });
    const title = shape("title", {});
    title.textContent = hex(s.low) + "-" + hex(s.high) + "  " + (s.owner || "held") + (s.movingTo ? " moving to " + s.movingTo : "") + "  " + count(rates[i] || 0) + " pairs/s  term " + s.term;
    box.append(title);
    return s.movingTo === null ? [box] : [box, shape("rect", { x, y: 0, width: Math.max(w, 1), height: 10, fill: color(s.movingTo) })];
  }));
}
function drawResources(resources) {
  const all = resources.reduce((sum, r) => sum + r.rate, 0);
  const most = Math.max(...resources.map((r) => r.rate), 1e-300);
  byId("resources").replaceChildren(...resources.map((r) => {
    const row = make("tr"), name = make("td"), mark = make("i"), bar = make("span", "", "bar"), barCell = make("td");
    mark.style.background = bar.style.background = color(r.id);
    bar.style.width = Math.round(160 * r.rate / most) + "px";
    name.append(mark, r.id);
    barCell.append(bar);
    row.append(name, make("td", r.state, r.state === "gone" ? "bad" : ""), make("td", r.slices, "n"), make("td", percent(r.share), "n"),
      make("td", all > 0 ? percent(r.rate / all) : "-", "n"), barCell, make("td", count(r.rate), "n"), make("td", count(r.bytes), "n"),
      make("td", r.movesIn + r.movesOut === 0 ? "" : r.movesIn + " in " + r.movesOut + " out", "n"));
    return row;
  }));
}
function drawDecisions(decisions) {
  byId("decisions").replaceChildren(...decisions.slice(-15).reverse().map((d) => {
    const row = make("tr");
    const how = { changed: " → ", moving: " ⇢ ", aborted: " × " }[d.kind];
    row.append(make("td", d.generation), make("td", hex(d.low) + "-" + hex(d.high)), make("td", (d.from || "nobody") + how + (d.to || "nobody")),
      make("td", d.kind === "aborted" ? d.reason + ", called off" : d.reason, d.reason === "lost" ? "bad" : "dim"));
    return row;
  }));
}
async function ask(path) {
  const token = sessionStorage.getItem("token");
  const answer = await fetch(path, token ? { headers: { authorization: "Bearer " + token } } : {});
  if (answer.status === 401) { byId("login").hidden = false; throw new Error("a token is wanted"); }
  byId("login").hidden = true;
  return answer.ok ? answer.json() : null;
}
async function look() {
  try {
    const [status, assignment] = await Promise.all([ask("/api/v1/status"), ask("/api/v1/assignment")]);
    order = status.resources.map((r) => r.id);
    byId("generation").textContent = status.generation === null ? "no assignment yet" : "generation " + status.generation;
    byId("summary").textContent = status.slices + " slices, " + status.slicesMoving + " moving, " + status.slicesHeld + " held; " + status.watchers + " watchers; rules " + status.rules.hash;
    drawKeys(assignment === null ? [] : assignment.slices, status.rates);
    drawResources(status.resources);
    drawDecisions(status.decisions);
  } catch (error) { byId("summary").textContent = "no answer: " + error.message; }
  setTimeout(look, 1000);
}
byId("login").onsubmit = () => { sessionStorage.setItem("token", byId("token").value); return false; };
look();
</script>
</html>
`;
