// The pick list: what is counted is sent at once, said aloud, and the list is put in place of the old one.

const REFRESH_MS = 5000;

const round = document.querySelector("#round");
const form = document.querySelector("#counting");
const field = document.querySelector("#scanned");
const said = document.querySelector("#said");
const GOOD = ["counted", "taken_out"];

let shown = null;
let turns = 0;
// One after the other: each count says what it expects to find.
let queue = Promise.resolve();

const show = (html) => {
  if (html === shown) return;
  const focused = round.contains(document.activeElement) ? document.activeElement : null;
  // A place that somebody is typing is theirs.
  if (focused?.matches("input")) return;
  const id = focused?.id;
  shown = html;
  round.innerHTML = html;
  if (!id) return;
  const again = document.getElementById(id);
  // A button that has nothing more to do gives the focus to its neighbour.
  const next = again?.disabled ? again.parentElement.querySelector("button:not(:disabled)") : again;
  next?.focus({ preventScroll: true });
};

const say = (words, isGood) => {
  said.textContent = words;
  said.classList.toggle("wrong", !isGood);
};

const send = async (values, sounds) => {
  const turn = ++turns;
  const body = new URLSearchParams({ csrf_token: form.querySelector('[name="csrf_token"]').value, ...values });
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
    if (answer.redirected || !answer.ok) return location.reload();
    const { outcome, words, html } = await answer.json();
    const isGood = GOOD.includes(outcome);
    say(words, isGood);
    isGood ? sounds?.good() : sounds?.bad();
    if (turn === turns) show(html);
  } catch {
    sounds?.bad();
    say(said.dataset.lost, false);
  }
};

const count = (values, sounds) => {
  queue = queue.then(() => send(values(), sounds));
};

// What the page shows of a product now; the server compares it with what it knows.
const scanned = (text) => {
  const digits = text.replace(/^0+/, "");
  const items = [...round.querySelectorAll(".item")];
  const item = items.find(
    ({ dataset }) => dataset.sku === text || (dataset.gtin && dataset.gtin.replace(/^0+/, "") === digits),
  );
  return item ? { scanned: text, expected: item.dataset.counted } : { scanned: text };
};

const isHere = (text) => "expected" in scanned(text);

let lastSounds = null;
document.addEventListener("scanned", (event) => {
  const { text, isCode, ...sounds } = event.detail;
  if (isCode && !isHere(text)) return; // somebody has come to collect
  event.preventDefault();
  lastSounds = sounds;
  count(() => scanned(text), sounds);
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const button = event.submitter;
  if (button?.name === "pick") {
    const [order, product, change] = button.value.split(" ");
    const id = button.id;
    // Several taps wait in line: each counts from what the list shows when its turn comes.
    count(() => ({ pick: document.getElementById(id)?.value ?? [order, product, change, "-1"].join(" ") }), lastSounds);
    return;
  }
  const text = field.value.trim();
  field.value = "";
  if (text) count(() => scanned(text), lastSounds);
});

const refresh = async () => {
  const turn = turns;
  try {
    const answer = await fetch(round.dataset.url);
    if (answer.redirected) return location.reload();
    const html = await answer.text();
    if (answer.ok && turn === turns) show(html);
  } catch {
    // The next count says that there is no connection.
  }
};

setInterval(() => document.hidden || refresh(), REFRESH_MS);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
