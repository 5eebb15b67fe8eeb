// The tablet without a network: it shows what was taken along, takes steps, and sends them when the network is back.

import { add, keep, kept, opens, pack, proofOf, send, steps, strike, unpack } from "./notebook.js";

const ASK_MS = 5000;
const IDLE_MS = 300_000;
const GUESSES_MAX = 5;
const GUESS_WINDOW_MS = 600_000;
const TARGETS = { start_picking: "picking", mark_ready: "ready", hand_over: "collected" };

const find = (selector, root = document) => root.querySelector(selector);
const fillIn = (words, ...values) => words.replace(/\{(\d)\}/g, (_, at) => values[at]);
const show = (element, words) => {
  element.hidden = words === undefined || words === null || words === "" || words === false;
  if (typeof words === "string") element.textContent = words;
};
const copy = (id) => find(`#${id}`).content.firstElementChild.cloneNode(true);
const slot = (root, name) => find(`[data-slot="${name}"]`, root);
const time = (iso) => new Date(iso).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });

let luggage = null;
let asked = null; // the order and the proof that wait for an age check

// Orders as they stand after what was done here.
const current = async () => {
  const done = await steps();
  return luggage.orders.map((order) => {
    const last = done.filter((step) => step.order_id === order.card.id && !step.refused).at(-1);
    return { ...order, status: last ? TARGETS[last.action] : order.card.status };
  });
};

const line = (each) => {
  const item = copy("line");
  slot(item, "quantity").textContent = each.quantity;
  slot(item, "name").textContent = each.name;
  slot(item, "sku").textContent = each.sku;
  slot(item, "department").textContent = each.department ? `· ${each.department}` : "";
  show(slot(item, "age"), each.minimum_age ? `${each.minimum_age}+` : "");
  return item;
};

const lines = (order) => order.card.lines.filter((each) => each.quantity).map(line);

const card = (order) => {
  const article = copy("card");
  const { card: shown, status } = order;
  article.id = `order-${shown.number}`;
  const title = slot(article, "title");
  title.id = `title-${shown.number}`;
  title.textContent = fillIn(title.dataset.words, shown.number);
  article.setAttribute("aria-labelledby", title.id);
  slot(article, "promise").textContent = status === shown.status ? shown.promise : "";
  slot(article, "person").textContent = shown.collector ?? shown.customer;
  const behalf = slot(article, "for");
  show(behalf, shown.collector && fillIn(behalf.dataset.words, shown.customer));
  show(slot(article, "staging"), shown.place);
  slot(article, "lines").replaceChildren(...lines(order));
  for (const button of article.querySelectorAll("[data-step]")) {
    if (button.dataset.from !== status) button.remove();
    button.id = `step-${shown.number}`;
    button.setAttribute("aria-describedby", title.id);
    button.addEventListener("click", () => take(button.dataset.step, order));
  }
  return article;
};

const unsent = (step) => {
  const item = copy("unsent-step");
  const words = slot(item, "words");
  words.textContent = fillIn(words.dataset[step.action], step.title);
  slot(item, "at").textContent = time(step.at);
  const refused = slot(item, "refused");
  show(refused, step.refused && fillIn(refused.dataset.words, step.refused));
  const drop = slot(item, "drop");
  drop.hidden = !step.refused;
  drop.addEventListener("click", () => strike(step).then(paint));
  return item;
};

const paint = async () => {
  luggage = await unpack();
  const waiting = await steps();
  show(find("#empty"), !luggage);
  find("#counter").hidden = find("#board").hidden = !luggage;
  find("#unsent-steps").hidden = !waiting.length;
  find("#nothing-unsent").hidden = waiting.length > 0;
  const count = find("#unsent-count").dataset;
  find("#unsent-count").textContent = waiting.length === 1 ? count.one : fillIn(count.many, waiting.length);
  find("#unsent-list").replaceChildren(...waiting.map(unsent));
  if (!luggage) return;
  find("#store").textContent = luggage.store.name;
  find("#who").textContent = luggage.member.name;
  find("#as-of").textContent = fillIn(find("#as-of").dataset.words, time(luggage.at));
  const orders = await current();
  for (const cards of document.querySelectorAll("[data-status]")) {
    const here = orders.filter((order) => order.status === cards.dataset.status);
    cards.replaceChildren(...here.map(card));
    for (const count of document.querySelectorAll(`[data-count="${cards.dataset.status}"]`)) count.textContent = here.length;
    find(`[data-empty="${cards.dataset.status}"]`).hidden = here.length > 0;
  }
};

const take = async (action, order, more = {}) => {
  await add({ action, order_id: order.card.id, title: order.card.number, shift: luggage.shift, ...more });
  await paint();
  find(`#step-${order.card.number}`)?.focus();
};

const refuse = (kind, ...values) => {
  const error = find("#code-error");
  show(error, fillIn(error.dataset[kind], ...values));
  find("#code").setAttribute("aria-invalid", "true");
  find("#code").select();
};

const handOver = async (order, proof, ageChecked) => {
  await take("hand_over", order, { proof, salt_day: luggage.codes.salt_day, age_checked: ageChecked });
  const section = find("#handed-over");
  slot(section, "person").textContent = order.card.collector ?? order.card.customer;
  const words = slot(section, "words");
  words.textContent = fillIn(words.dataset.words, order.card.number);
  slot(section, "lines").replaceChildren(...lines(order));
  section.hidden = false;
  section.focus();
  find("#code").value = "";
};

const askAge = (order, proof) => {
  asked = { order, proof };
  const section = find("#age");
  const [title, words] = [find("#age-title"), slot(section, "words")];
  title.textContent = fillIn(title.dataset.words, order.minimum_age);
  words.textContent = fillIn(words.dataset.words, order.card.number);
  section.hidden = false;
  find("#age-checked").focus();
};

find("#hand-over").addEventListener("submit", async (event) => {
  event.preventDefault();
  show(find("#code-error"));
  find("#code").removeAttribute("aria-invalid");
  find("#handed-over").hidden = find("#age").hidden = true;
  const guesses = ((await kept("guesses")) ?? []).filter((at) => Date.now() - at < GUESS_WINDOW_MS);
  if (guesses.length >= GUESSES_MAX && !luggage.member.is_manager) return refuse("guessing");
  const proof = await proofOf(find("#code").value, luggage.codes);
  const order = (await current()).find((each) => each.status === "ready" && each.proofs.includes(proof));
  if (!order) {
    await keep("guesses", [...guesses, Date.now()]);
    return refuse("unknown");
  }
  if (order.is_locked) return refuse("locked", order.card.number);
  return order.minimum_age ? askAge(order, proof) : handOver(order, proof, false);
});
find("#age-checked").addEventListener("click", async () => {
  find("#age").hidden = true;
  await handOver(asked.order, asked.proof, true);
});
find("#too-young").addEventListener("click", () => {
  find("#age").hidden = true;
  find("#code").value = "";
  find("#code").focus();
});
find("#handed-over-done").addEventListener("click", () => {
  find("#handed-over").hidden = true;
  find("#code").focus();
});

// The lock, as the server has it: who puts the tablet down for five minutes opens it by PIN. It holds over a reload.
const touch = () => localStorage.setItem("touched", String(Date.now()));
const isLocked = () =>
  localStorage.getItem("locked") === "yes" || Date.now() - Number(localStorage.getItem("touched") ?? 0) >= IDLE_MS;
const setLocked = (locked) => {
  localStorage.setItem("locked", locked ? "yes" : "no");
  find("#locked").hidden = !locked;
  find("#open").hidden = locked;
  find("#lock-now").hidden = locked;
  if (locked) find("#unlock-pin").focus();
};
find("#lock-now").addEventListener("click", () => setLocked(true));
find("#unlock").addEventListener("submit", async (event) => {
  event.preventDefault();
  const error = find("#unlock-error");
  const isRight = await opens(find("#unlock-pin").value);
  find("#unlock-pin").value = "";
  show(error, isRight ? "" : isRight === null ? error.dataset.closed : error.dataset.wrong);
  if (!isRight) return;
  touch();
  setLocked(false);
});
for (const event of ["pointerdown", "keydown", "wheel"]) {
  addEventListener(event, () => isLocked() || touch(), { passive: true });
}
setInterval(() => isLocked() && find("#locked").hidden && setLocked(true), 1000);

// The network: as soon as there is one, what was done is sent, and the board that lives from the network opens again.
const isBusy = () =>
  isLocked() || !find("#age").hidden || !find("#handed-over").hidden || find("#code").value !== "";
// What is locked here is locked there: a network is no way around the PIN.
const lockThere = async () => {
  const { csrf_token } = (await kept("luggage")) ?? {};
  const answer = await fetch("/staff/lock", { method: "POST", headers: { "X-CSRFToken": csrf_token ?? "" } });
  if (!answer.ok) return;
  location.replace("/staff");
};
const ask = async () => {
  try {
    const answer = await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(ASK_MS) });
    if (!answer.ok) throw new Error(answer.statusText);
  } catch {
    find("#network").textContent = find("#network").dataset.gone;
    return;
  }
  find("#network").textContent = find("#network").dataset.back;
  if (isLocked()) return lockThere();
  const isSignedIn = await pack().catch(() => false);
  const outcomes = (await steps()).length ? await send().catch(() => []) : [];
  // What was done is not in what was packed before it was sent.
  if (outcomes.length) await pack().catch(() => false);
  const waiting = await steps();
  find("#sign-in-first").hidden = isSignedIn || !waiting.length;
  await paint();
  if (!waiting.length && !isBusy()) location.replace("/staff");
};

setLocked(isLocked());
await paint();
if (!isLocked() && luggage) find("#code").focus();
addEventListener("online", ask);
setInterval(ask, ASK_MS);
ask();
