// What makes the tablet page nicer; without it everything still works, one reload at a time.

const REFRESH_MS = 5000;
const TOAST_MS = 8000;

const board = document.querySelector("#board");
const code = document.querySelector("#code");

// A code that was refused is there to be typed over, or to be mended.
code?.addEventListener("focus", () => code.select());
if (document.activeElement === code) code.select();

const say = (words) => {
  if (words) document.querySelector("#news").textContent = words;
};

// What is there when a page opens is not read out, what is added afterwards is.
const happened = [...document.querySelectorAll(".handed-over h2, .toast")];
setTimeout(() => say(happened.map((element) => element.textContent.replace(/\s+/g, " ").trim()).join(" ")), 300);

for (const toast of document.querySelectorAll(".toast")) {
  setTimeout(() => toast.remove(), TOAST_MS);
}

if (board) {
  let shown = null; // what the server sent last; the browser's own serialisation of it differs
  let timer = null;

  const refresh = async () => {
    clearTimeout(timer);
    try {
      const answer = await fetch(board.dataset.url, { signal: AbortSignal.timeout(REFRESH_MS) });
      if (answer.redirected) return location.reload(); // signed out meanwhile
      if (!answer.ok) throw new Error(answer.statusText);
      show(await answer.text());
      setStale(false);
    } catch {
      setStale(true);
    }
    schedule();
  };

  const schedule = () => {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(refresh, REFRESH_MS);
  };

  const show = (html) => {
    if (html === shown || board.matches(":active")) return; // never away from under a finger
    const before = counts();
    const focused = board.contains(document.activeElement) ? document.activeElement.id : "";
    shown = html;
    board.innerHTML = html;
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    announce(before, counts());
  };

  const counts = () => ({
    orders: Number(board.querySelector("#to-pick")?.dataset.count ?? 0),
    goods: Number(board.querySelector("#to-send")?.dataset.count ?? 0),
    here: board.querySelectorAll(".here article").length,
  });

  // Nobody looks at the tablet all the time: who hears it is told what is new, and only that.
  const announce = (before, after) => {
    const news = [];
    if (after.here > before.here) news.push("A customer is here.");
    if (after.orders > before.orders) news.push(`${after.orders - before.orders} new to pick.`);
    if (after.goods > before.goods) news.push(`${after.goods - before.goods} new to send.`);
    say(news.join(" "));
  };

  const setStale = (stale) => {
    document.querySelector("#stale").hidden = !stale;
  };

  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refresh()));
  addEventListener("pagehide", () => clearTimeout(timer));
  schedule();
}
