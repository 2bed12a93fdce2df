// The reviewers' desk works without this file. It adds keys, live figures, rows that come by themselves,
// the time left, and a guard for words not yet sent.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const zh = document.documentElement.lang.startsWith("zh");
const page = document.documentElement.dataset.page;
const fill = (node, n) => { node.textContent = node.dataset[zh ? "zh" : "en"].replace("{n}", n); };
const say = (text) => { $("#live").textContent = text; };
const num = (n) => Number(n).toLocaleString("en-US");

// The server's clock counts, not this machine's.
const skew = Date.parse(document.documentElement.dataset.now) - Date.now();

// The two largest units, as the server writes a span.
function span(seconds) {
  const units = zh ? [[86400, " 天"], [3600, " 小时"], [60, " 分"], [1, " 秒"]] : [[86400, " d"], [3600, " h"], [60, " min"], [1, " s"]];
  const parts = [];
  let rest = Math.max(0, Math.floor(seconds));
  for (const [size, name] of units) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n || parts.length) parts.push(n ? n + name : "");
    if (parts.length === 2) break;
  }
  return parts.filter(Boolean).join(" ") || "0" + units[3][1];
}

// Time left until a moment, beside it. Minutes are enough, so it ticks twice a minute.
function remaining() {
  for (const time of $$("time[data-left]")) {
    const short = time.dataset.left === "short";
    let note = short ? time : time.nextElementSibling;
    if (short) {
      time.title = time.title || time.textContent;
    } else if (!note || !note.classList.contains("left")) {
      note = document.createElement("span");
      note.className = "left dim";
      time.after(note);
    }
    const left = (Date.parse(time.dateTime) - Date.now() - skew) / 1000;
    const minutes = Math.floor(Math.abs(left) / 60) * 60;
    const text = minutes === 0 ? (zh ? "就是现在" : "now") : left > 0 ? (zh ? "还剩 " + span(minutes) : span(minutes) + " left") : (zh ? "已过 " + span(minutes) : span(minutes) + " ago");
    note.textContent = short ? text : zh ? "（" + text + "）" : " (" + text + ")";
  }
}
remaining();
setInterval(remaining, 30000);

// ---- Selecting rows ----

const boxes = () => $$('.rows input[name="id"]');

function picked() {
  const count = $("#picked");
  if (!count) return;
  const n = boxes().filter((box) => box.checked).length;
  fill(count, n);
  const all = $("#pick-all");
  if (all) {
    all.checked = n > 0 && n === boxes().length;
    all.indeterminate = n > 0 && !all.checked;
  }
  // The whole campaign is chosen: single rows would only be sent twice.
  const whole = $("#pick-campaign");
  const every = Boolean(whole && whole.checked);
  for (const row of boxes()) row.disabled = every;
  fill($("#sum"), every ? whole.dataset.n : n);
}

const all = $("#pick-all");
if (all) {
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes()) box.checked = all.checked;
    picked();
  });
}
let last = null; // for ranges with Shift
document.addEventListener("click", (event) => {
  const box = event.target.closest('.rows input[name="id"]');
  if (!box) return;
  if (event.shiftKey && last && last !== box) {
    const list = boxes();
    const [from, to] = [list.indexOf(last), list.indexOf(box)].sort((a, b) => a - b);
    for (const one of list.slice(from, to + 1)) one.checked = box.checked;
  }
  last = box;
});
document.addEventListener("change", picked);
picked();

// ---- The decision form ----

// Only the reasons of the chosen outcome can be chosen.
function reasons(form) {
  const list = $("[data-reasons]", form);
  const chosen = $('[name="outcome"]:checked', form);
  if (!list) return;
  for (const group of $$("optgroup", list)) {
    const off = Boolean(chosen) && group.dataset.outcome !== chosen.value;
    group.hidden = group.disabled = off;
    if (off && $$("option", group).some((option) => option.selected)) list.value = "";
  }
}
for (const form of $$(".decide")) {
  form.addEventListener("change", (event) => { if (event.target.name === "outcome") reasons(form); });
  reasons(form);
}

// Words that were written but not sent hold the page, once.
let sending = false;
document.addEventListener("submit", (event) => {
  sending = true;
  // A second press must not send twice. The button is disabled after the form has been read.
  setTimeout(() => { for (const button of $$("button", event.target)) button.disabled = event.target.method !== "dialog" && event.target.method !== "get"; });
});
addEventListener("pageshow", () => {
  sending = false;
  for (const button of $$("form button")) button.disabled = false;
});
addEventListener("beforeunload", (event) => {
  const words = $$("[data-guard] [name=words]").some((field) => field.value.trim() !== field.defaultValue.trim());
  if (words && !sending) event.preventDefault();
});

// ---- More rows when the end is near ----

const near = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) more(entry.target);
}, { rootMargin: "800px" });

async function more(link) {
  near.unobserve(link);
  let reply;
  try {
    reply = await fetch(link.href, { headers: { accept: "text/html" } });
  } catch {
    return; // the link is still there to press
  }
  // Signed out in the meantime: the answer is another page.
  if (!reply.ok || reply.redirected) return;
  const next = new DOMParser().parseFromString(await reply.text(), "text/html");
  const seen = new Set($$("#rows tr").map((row) => row.dataset.id));
  const rows = $$("#rows tr", next).filter((row) => !seen.has(row.dataset.id)); // the queue may have moved between pages
  $("#rows").append(...rows);
  say(zh ? `又列出 ${rows.length} 条` : `${rows.length} more rows`);
  const following = $("[data-next]", next);
  if (following) {
    link.href = following.getAttribute("href");
    near.observe(link);
  } else {
    link.remove();
  }
  remaining();
  picked();
}
const next = $("[data-next]");
if (next) near.observe(next);

// ---- Live queue ----

if (page === "queue") {
  const changed = new Set();
  const events = new EventSource("/desk/events");
  events.addEventListener("queue", (event) => {
    const news = JSON.parse(event.data);
    for (const node of $$("[data-count]")) {
      const n = news[node.dataset.count];
      if (n !== undefined) node.textContent = num(n);
    }
    for (const id of news.changed) {
      changed.add(id);
      const row = $(`#rows tr[data-id="${CSS.escape(id)}"]`);
      if (row) row.classList.add("changed");
    }
    const note = $("#changed");
    if (changed.size && note) {
      note.hidden = false;
      fill($("a", note), changed.size);
      say($("a", note).textContent);
    }
  });
  addEventListener("pagehide", () => events.close());
}

// On a phone the filters would fill the first screen.
if (matchMedia("(max-width: 900px)").matches) for (const box of $$("details.filters")) box.open = false;

// ---- Live operations ----

const shown = { num, span, us: (n) => (n < 1000 ? n + " µs" : (n / 1000).toFixed(1) + " ms") };

async function operations() {
  if (document.hidden) return;
  let news;
  try {
    const reply = await fetch("/desk/operations.json");
    if (!reply.ok || reply.redirected) return;
    news = await reply.json();
  } catch {
    return; // the next round will tell
  }
  for (const node of $$("[data-live]")) {
    const value = node.dataset.live.split(".").reduce((at, key) => (at === null || at === undefined ? at : at[key]), news);
    if (value !== undefined && value !== null) node.textContent = node.dataset.as ? shown[node.dataset.as](value) : value;
  }
  for (const hold of news.holds) {
    const node = $(`[data-hold="${CSS.escape(hold.kind.value)}"]`);
    if (node) node.textContent = num(hold.n);
  }
  const line = $("#rates");
  if (line) line.setAttribute("points", news.rates.points.map((p) => p.x + "," + p.y).join(" "));
}
if (page === "operations") setInterval(operations, 2000);

// ---- Keys ----

const help = $("#keys");
const helper = $("#help");
if (helper) {
  helper.hidden = false;
  helper.addEventListener("click", () => help.showModal());
}

// Single keys can be turned off for this browser; Ctrl+Enter and Esc stay.
const single = $("#keys-on");
if (single) {
  single.checked = localStorage.getItem("desk.keys") !== "off";
  single.addEventListener("change", () => localStorage.setItem("desk.keys", single.checked ? "on" : "off"));
}

// j and k move the focus itself, so that Enter opens natively and a reader says the row.
function step(by) {
  const rows = $$("tbody a.open");
  if (!rows.length) return;
  const row = document.activeElement.closest("tbody tr");
  const at = row ? rows.indexOf($("a.open", row)) : -1;
  const to = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by))];
  to.focus();
  to.scrollIntoView({ block: "nearest" });
}

function press(node) {
  if (node.matches("input[type=radio]")) {
    node.click();
    $("[data-reasons]", node.form).focus();
  } else if (node.matches("details")) {
    node.open = true;
    $("select, textarea", node).focus();
  } else if (node.matches("input")) {
    const folded = node.closest("details");
    if (folded) folded.open = true;
    node.focus();
    node.select();
  } else {
    node.click();
  }
}

let going = 0; // when g was pressed
document.addEventListener("keydown", (event) => {
  const field = event.target.closest("input:not([type=checkbox], [type=radio]), select, textarea");
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    const form = event.target.form || event.target.closest("form");
    const send = form && $("[data-send]", form);
    if (send) { event.preventDefault(); form.requestSubmit(send); }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || (help && help.open)) return;
  if (field) {
    // Esc leaves a field; a second Esc leaves the page.
    if (event.key === "Escape") { event.preventDefault(); field.blur(); }
    return;
  }
  if (single && !single.checked && event.key !== "Escape") return;
  if (Date.now() - going < 1500) {
    going = 0;
    const link = $(`[data-go="${CSS.escape(event.key)}"]`);
    if (link) { event.preventDefault(); link.click(); }
    return;
  }
  const row = event.target.closest("tbody tr");
  switch (event.key) {
    case "g": going = Date.now(); return;
    case "j": step(1); return;
    case "k": step(-1); return;
    case "?": if (help) help.showModal(); return;
    case "o": if (row && $("a.open", row)) $("a.open", row).click(); return;
    case " ":
      if (row && event.target.matches("a.open") && $('input[name="id"]', row)) {
        event.preventDefault();
        $('input[name="id"]', row).click();
      }
      return;
  }
  // c on a row that isn't selected claims that row.
  if (event.key === "c" && row && $("#bulk") && !boxes().some((box) => box.checked)) {
    const box = $('input[name="id"]', row);
    if (!box) return;
    box.checked = true;
    picked();
  }
  const node = $$("[data-key]").find((one) => one.dataset.key === event.key && !one.disabled && one.getClientRects().length);
  const hidden = $(`.filters [data-key="${CSS.escape(event.key)}"]`);
  if (node || hidden) {
    event.preventDefault();
    press(node || hidden);
  }
});
