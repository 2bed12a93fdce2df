// What every page must have for whoever sees little, hears the page, or uses no mouse. Returns what is wrong.
const wrong = [];
const name = (node) => node.outerHTML.replace(/\s+/g, " ").slice(0, 140);
const seen = (node) => node.getClientRects().length > 0 && getComputedStyle(node).visibility !== "hidden";
const text = (node) => (node ? node.textContent.trim() : "");
const all = (selector) => [...document.querySelectorAll(selector)];

if (!/^(zh-CN|en)$/.test(document.documentElement.lang)) wrong.push("the page has no language");
if (!document.title.trim()) wrong.push("the page has no title");
if (all("h1").length !== 1) wrong.push(all("h1").length + " headings of level 1");
if (all("main").length !== 1) wrong.push(all("main").length + " main parts");
if (!document.querySelector("a.skip[href='#main']")) wrong.push("nothing skips to the content");
if (/user-scalable=no|maximum-scale/.test(document.querySelector("meta[name=viewport]")?.content ?? "")) wrong.push("cannot be enlarged");

// The name that assistive technology tells.
function told(node) {
  if (node.getAttribute("aria-label")?.trim()) return node.getAttribute("aria-label").trim();
  const by = node.getAttribute("aria-labelledby");
  if (by) return by.split(/\s+/).map((id) => text(document.getElementById(id))).join(" ").trim();
  if (node.labels?.length) {
    const words = [...node.labels].map((label) => {
      const copy = label.cloneNode(true);
      copy.querySelectorAll("select, input, textarea, [aria-hidden=true]").forEach((part) => part.remove());
      return text(copy);
    });
    return words.join(" ").trim();
  }
  if (node.matches("input, select, textarea")) return "";
  const copy = node.cloneNode(true);
  copy.querySelectorAll("[aria-hidden=true]").forEach((part) => part.remove());
  return text(copy);
}
for (const node of all("input:not([type=hidden]), select, textarea, button, a[href], summary")) {
  if (node.closest("[hidden]")) continue;
  const silent = node.closest("[aria-hidden=true]");
  if (silent && node.tabIndex >= 0 && seen(node)) wrong.push("reached by Tab and not told: " + name(node));
  if (!silent && !told(node)) wrong.push("no name: " + name(node));
}
for (const node of all("section, nav, aside, [role=group], [role=img], dialog, form[role=search]")) {
  if (node.matches("nav, [role=img]") && !told(node)) wrong.push("no name: " + name(node));
  for (const id of (node.getAttribute("aria-labelledby") ?? "").split(/\s+/).filter(Boolean)) {
    if (!document.getElementById(id)) wrong.push("named by nothing: " + name(node));
  }
}
for (const node of all("[aria-describedby]")) {
  for (const id of node.getAttribute("aria-describedby").split(/\s+/)) if (!document.getElementById(id)) wrong.push("described by nothing: " + name(node));
}
for (const node of all("svg")) {
  const silent = node.getAttribute("aria-hidden") === "true";
  // A picture with links in it is a group; one without is an image.
  const group = node.closest("[role=group], [role=img]");
  const named = group && (group.getAttribute("aria-label") || group.getAttribute("aria-labelledby"));
  if (!silent && !named) wrong.push("a picture with neither name nor silence: " + name(node));
  if (silent && node.querySelector("a[href]")) wrong.push("a link within a silent picture: " + name(node));
}
for (const node of all("img")) if (!node.hasAttribute("alt")) wrong.push("no text instead: " + name(node));
const ids = all("[id]").map((node) => node.id);
for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) wrong.push("more than one #" + id);
for (const node of all("[tabindex]")) if (Number(node.getAttribute("tabindex")) > 0) wrong.push("a tab order of its own: " + name(node));
for (const table of all("table")) {
  if (!table.caption) wrong.push("a table without a caption: " + name(table));
  for (const head of table.querySelectorAll("th")) {
    if (!head.scope) wrong.push("a head without scope: " + name(head));
    if (!told(head)) wrong.push("an empty head: " + name(head));
  }
}
let level = 0;
for (const heading of all("h1, h2, h3, h4").filter((node) => !node.closest("dialog"))) {
  const now = Number(heading.tagName[1]);
  if (now > level + 1) wrong.push("a heading skips a level: " + name(heading));
  level = now;
}

// Contrast of text with what is behind it, WCAG 2.2: 4.5, or 3 for large text.
const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
function rgba(colour) {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
}
const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a), 1];
const light = ([r, g, b]) => {
  const part = (c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
};
const contrast = (a, b) => {
  const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
};
const paper = rgba(getComputedStyle(document.documentElement).backgroundColor)[3] ? getComputedStyle(document.documentElement).backgroundColor : matchMedia("(prefers-color-scheme: dark)").matches ? "#121212" : "#ffffff";
function behind(node) {
  const layers = [];
  for (let at = node; at; at = at.parentElement) {
    const colour = rgba(getComputedStyle(at).backgroundColor);
    layers.push(colour);
    if (colour[3] === 1) break;
  }
  return layers.reduceRight((under, layer) => over(layer, under), rgba(paper));
}
let pairs = 0;
const poor = new Set();
for (const node of all("body *")) {
  if (node.closest("svg, option, optgroup, [disabled], .unseen, .skip") || !seen(node)) continue;
  if (![...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim())) continue;
  const style = getComputedStyle(node);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  const ground = behind(node);
  const ratio = contrast(over(rgba(style.color), ground), ground);
  pairs += 1;
  if (ratio < (large ? 3 : 4.5)) poor.add(`contrast ${ratio.toFixed(2)} of ${node.tagName.toLowerCase()}.${node.className}: ${text(node).slice(0, 40)}`);
}
for (const node of all("svg text")) {
  if (node.closest("[aria-hidden=true]")) continue;
  const ground = behind(node.closest("svg"));
  const ratio = contrast(over(rgba(getComputedStyle(node).fill), ground), ground);
  // A letter on a mark stands on the mark's own colour, which is not known from here.
  const onMark = node.parentElement.querySelector("circle, rect, path, polygon");
  if (!onMark && ratio < 4.5) poor.add(`contrast ${ratio.toFixed(2)} of a picture's text: ${text(node).slice(0, 40)}`);
}
wrong.push(...poor);
return { wrong, pairs };
