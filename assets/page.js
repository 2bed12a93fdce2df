// The live page: asks for /live.json once a second and shows it. Text from the service is only ever set
// as text, never as markup.
"use strict";

const POLL_MS = 1000;
const TOKEN_KEY = "zhenping.token";
const DECISIONS = { admit: "采纳 admitted", hold: "暂缓 held", reject: "不计入 rejected" };
const SUSPICIONS = {
  padded_praise: "刷好评 padded praise",
  malicious_review: "恶意差评 malicious review",
  automation: "自动化 automation",
  duplicate: "重复 duplicate",
};

const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("zh-CN");
let previous = null;
let shown = "";

function put(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

function state(text, kind) {
  put("state", text);
  byId("state").className = kind;
}

function share(part, whole) {
  return whole === 0 ? "" : `${((100 * part) / whole).toFixed(2)} %`;
}

function milliseconds(us) {
  return us === 0 ? "–" : `${(us / 1000).toFixed(2)} ms`;
}

function age(seconds) {
  if (seconds === 0) return "–";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} 分 min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} 小时 h`;
  return `${Math.floor(seconds / 86400)} 天 d`;
}

function meter(id, value, limit) {
  byId(`${id}_meter`).value = limit === 0 ? 0 : Math.min(1, value / limit);
  put(id, `${number.format(value)} / ${number.format(limit)}`);
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function entry(verdict) {
  const item = element("li", undefined, verdict.decision in DECISIONS ? verdict.decision : "");
  const line = element("div", undefined, "line");
  line.append(element("strong", DECISIONS[verdict.decision] ?? verdict.decision));
  if (verdict.suspicion) line.append(element("span", SUSPICIONS[verdict.suspicion] ?? verdict.suspicion));
  line.append(element("span", `${verdict.stars} 星 stars`));
  line.append(element("span", `风险 risk ${verdict.risk.toFixed(3)}`));
  if (verdict.revision > 0) line.append(element("span", `第 ${verdict.revision} 次更正 revision ${verdict.revision}`));
  line.append(element("span", verdict.rating_id, "code"), element("span", verdict.scored_at));
  const reasons = element("ul");
  for (const reason of verdict.reasons) {
    const one = element("li", reason.text);
    const english = element("span", reason.text_en);
    english.lang = "en";
    one.append(english);
    reasons.append(one);
  }
  item.append(line, reasons);
  return item;
}

function show(live) {
  const total = live.admitted + live.held + live.rejected;
  const restarted = previous !== null && live.uptime_ms < previous.uptime_ms;
  if (previous !== null && !restarted && live.uptime_ms > previous.uptime_ms) {
    const rate = (1000 * (total - previous.total)) / (live.uptime_ms - previous.uptime_ms);
    put("rate", rate >= 100 ? number.format(Math.round(rate)) : rate.toFixed(1));
  }
  previous = { total, uptime_ms: live.uptime_ms };
  put("total", number.format(total));
  for (const decision of ["admitted", "held", "rejected"]) {
    put(decision, number.format(live[decision]));
    put(`${decision}_share`, share(live[decision], total));
  }
  put("bad", number.format(live.bad));
  put("latency", `${milliseconds(live.p50_us)} / ${milliseconds(live.p99_us)}`);
  meter("queue", live.queue_depth, live.queue_limit);
  put("shed", number.format(live.shed));
  put("pending", `${number.format(live.pending_bad)} / ${number.format(live.pending_good)}`);
  put("oldest", age(live.oldest_pending_s));
  meter("budget", live.budget_used, live.budget_limit);
  put("rules", live.rules);
  put("log_head", String(live.log_head));

  const latest = JSON.stringify(live.latest);
  if (latest !== shown) {
    shown = latest;
    byId("latest").replaceChildren(...live.latest.map(entry));
    byId("none").hidden = live.latest.length > 0;
  }
  byId("ask").hidden = true;
  byId("board").hidden = false;
  state("实时 live", "live");
}

function ask(refusal) {
  sessionStorage.removeItem(TOKEN_KEY);
  byId("board").hidden = true;
  byId("ask").hidden = false;
  put("refusal", refusal);
  state("需要令牌 token needed", "");
}

async function poll() {
  const token = sessionStorage.getItem(TOKEN_KEY);
  const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
  try {
    const answer = await fetch("/live.json", { headers, cache: "no-store" });
    if (answer.ok) {
      show(await answer.json());
    } else if (answer.status === 401 || answer.status === 403) {
      ask(token === null ? "" : (await answer.json()).detail);
      return;
    } else {
      state(`${answer.status}`, "lost");
    }
  } catch {
    state("连接中断 connection lost", "lost");
  }
  setTimeout(poll, POLL_MS);
}

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = byId("token").value.trim();
  byId("token").value = "";
  if (!/^zp_[\w-]+$/.test(token)) {
    ask("令牌以 zp_ 开头。A token begins with zp_.");
    return;
  }
  sessionStorage.setItem(TOKEN_KEY, token);
  poll();
});

poll();
