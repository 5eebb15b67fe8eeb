// Keeps the page true while the order goes on: asks now and then, and changes what is shown only if something changed.

const REFRESH_MS = 10000;
let timer = null;

const order = () => document.querySelector("#order");

const refresh = async () => {
  clearTimeout(timer);
  try {
    const answer = await fetch(location.pathname, { signal: AbortSignal.timeout(REFRESH_MS) });
    if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // No network for a moment; what is shown stays, and it is asked again.
  }
  schedule();
};

const schedule = () => {
  clearTimeout(timer);
  if (!document.hidden && "changing" in order().dataset) timer = setTimeout(refresh, REFRESH_MS);
};

const show = (page) => {
  const next = page.querySelector("#order");
  if (!next || next.dataset.state === order().dataset.state) return;
  const note = document.querySelector("#note")?.value;
  const wish = document.querySelector("[name=wish]:checked")?.value;
  const open = document.querySelector(".wish details")?.open;
  document.title = page.title;
  order().replaceWith(next);
  const field = document.querySelector("#note");
  if (field && note) field.value = note;
  const radio = document.querySelector(`[name=wish][value=${wish}]`);
  if (radio && open) radio.checked = radio.closest("details").open = true;
  document.querySelector("#news").textContent = document.querySelector("#headline").textContent;
};

document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refresh()));
addEventListener("pagehide", () => clearTimeout(timer));
schedule();
