// Keeps the page true while the order goes on: asks now and then, less often where nothing happens, and changes what is
// shown only if something changed. Says so where it cannot ask.

const FIRST_MS = 10000;
const LONGEST_MS = 60000;
const PATIENCE_MS = 10000;
let timer = null;
let pause = FIRST_MS;
let shownAt = new Date();

const order = () => document.querySelector("#order");
const stale = () => document.querySelector("#stale");

const refresh = async () => {
  clearTimeout(timer);
  try {
    const answer = await fetch(location.pathname, {
      headers: { "If-None-Match": `"${order().dataset.state}"` },
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (answer.status === 404) return location.reload(); // the link counts no more
    if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    else if (answer.status !== 304) throw new Error(answer.statusText);
    pause = answer.ok ? FIRST_MS : Math.min(pause * 1.5, LONGEST_MS);
    shownAt = new Date();
    say("");
  } catch {
    pause = Math.min(pause * 2, LONGEST_MS);
    sayStale();
  }
  schedule();
};

const schedule = () => {
  clearTimeout(timer);
  if (!document.hidden && "changing" in order().dataset) timer = setTimeout(refresh, pause);
};

const atOnce = () => {
  pause = FIRST_MS;
  if ("changing" in order().dataset) refresh();
};

const sayStale = () => {
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: order().dataset.zone };
  say(stale().dataset.words.replace("{time}", shownAt.toLocaleTimeString(document.documentElement.lang, time)));
};

const say = (words) => {
  if (stale().textContent !== words) stale().textContent = words;
};

// What somebody is typing, has chosen or opened stays, by the ids of the fields.
const show = (page) => {
  if (page.documentElement.lang !== document.documentElement.lang) return location.reload(); // chosen in another tab
  const next = page.querySelector("#order");
  if (!next || next.dataset.state === order().dataset.state) return;
  const typed = [...order().querySelectorAll("input[id], select[id]")].map((field) => [field.id, field.value]);
  const open = [...order().querySelectorAll("details[open]")].map((each) => each.id);
  const wish = order().querySelector("[name=wish]:checked")?.value;
  const focused = order().contains(document.activeElement) && document.activeElement.id;
  const headline = document.querySelector("#headline").textContent;
  document.title = page.title;
  order().replaceWith(next);
  for (const [id, value] of typed) {
    const field = document.getElementById(id);
    if (field && value) field.value = value;
  }
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  const radio = open.includes("change-wish") && document.querySelector(`[name=wish][value=${wish}]`);
  if (radio) radio.checked = true;
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  const news = document.querySelector("#headline").textContent;
  if (news !== headline) document.querySelector("#news").textContent = news;
  offer();
};

// What only a script can do is offered where it can.
const offer = () => {
  for (const button of document.querySelectorAll("[data-share]")) button.hidden = !navigator.share;
  for (const button of document.querySelectorAll("[data-print]")) button.hidden = false;
};

document.addEventListener("click", ({ target }) => {
  if (target.matches("[data-share]")) navigator.share({ text: target.dataset.share }).catch(() => {});
  if (target.matches("[data-print]")) print();
});
offer();
if (order()) {
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : atOnce()));
  addEventListener("online", atOnce);
  addEventListener("offline", sayStale);
  addEventListener("pagehide", () => clearTimeout(timer));
  schedule();
}
