"use strict";
const sheet = JSON.parse(document.getElementById("sheet").textContent);
const key = "jv rating sheet " + sheet.name;
const at = (id) => document.getElementById(id);
const kept = read();
let place = Math.min(kept.place, sheet.pairs.length - 1);

function read() {
  const empty = { rater: "", place: 0, answers: {} };
  try {
    return { ...empty, ...JSON.parse(localStorage.getItem(key)) };
  } catch {
    return empty;
  }
}

function keep() {
  try {
    localStorage.setItem(key, JSON.stringify({ ...kept, place }));
  } catch {
    at("said").textContent = "This browser keeps nothing: save the CSV before you close the page.";
  }
}

function answer() {
  const number = sheet.pairs[place].pair;
  return (kept.answers[number] ??= { rating: null, note: "", rated_at: null });
}

function profile(element, title, fields) {
  const list = document.createElement("dl");
  for (const [name, value] of fields) {
    list.append(Object.assign(document.createElement("dt"), { textContent: name }));
    list.append(Object.assign(document.createElement("dd"), { textContent: value }));
  }
  element.replaceChildren(Object.assign(document.createElement("h2"), { textContent: title }), list);
}

function show() {
  const pair = sheet.pairs[place];
  const rated = sheet.pairs.filter((each) => kept.answers[each.pair]?.rating).length;
  at("where").textContent = `Pair ${place + 1} of ${sheet.pairs.length}; ${rated} rated`;
  profile(at("a"), pair.a.name, pair.a.fields);
  profile(at("b"), pair.b.name, pair.b.fields);
  for (const button of at("ratings").querySelectorAll("button"))
    button.setAttribute("aria-pressed", String(answer().rating === Number(button.textContent)));
  at("note").value = answer().note;
  at("previous").disabled = place === 0;
  at("next").disabled = place === sheet.pairs.length - 1;
}

function turn(by) {
  place = Math.max(0, Math.min(place + by, sheet.pairs.length - 1));
  keep();
  show();
  scrollTo(0, 0);
}

function rate(rating) {
  Object.assign(answer(), { rating, rated_at: new Date().toISOString() });
  keep();
  show();
}

function csv() {
  const quoted = (value) => '"' + String(value).replaceAll('"', '""') + '"';
  const rows = [["sheet", "pair", "rater", "rating", "note", "rated_at"]];
  for (const { pair } of sheet.pairs) {
    const { rating, note, rated_at } = kept.answers[pair] ?? {};
    if (rating) rows.push([sheet.name, pair, kept.rater, rating, note, rated_at]);
  }
  return rows.map((row) => row.map(quoted).join(",") + "\r\n").join("");
}

function save() {
  if (!kept.rater) {
    at("said").textContent = "Say who you are first: your name or initials, at the top.";
    at("rater").focus();
    return;
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = `ratings-${sheet.name}-${kept.rater.replace(/\W+/g, "_")}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
  at("said").textContent = `Saved ${link.download}. Send it to whoever gave you this page.`;
}

for (let rating = 1; rating <= 5; rating++) {
  const button = Object.assign(document.createElement("button"), { textContent: rating, type: "button" });
  button.addEventListener("click", () => rate(rating));
  at("ratings").append(button);
}
at("rater").value = kept.rater;
at("rater").addEventListener("input", (event) => {
  kept.rater = event.target.value.trim();
  keep();
});
at("note").addEventListener("input", (event) => {
  answer().note = event.target.value;
  keep();
});
at("previous").addEventListener("click", () => turn(-1));
at("next").addEventListener("click", () => turn(1));
at("save").addEventListener("click", save);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.tagName === "INPUT") {
    if (event.key === "Escape" || event.key === "Enter") event.target.blur();
    return;
  }
  if (/^[1-5]$/.test(event.key)) rate(Number(event.key));
  else if (event.key === "ArrowRight" || event.key === "ArrowDown") turn(1);
  else if (event.key === "ArrowLeft" || event.key === "ArrowUp") turn(-1);
  else if (event.key === "n") at("note").focus();
  else return;
  event.preventDefault();
});
show();
