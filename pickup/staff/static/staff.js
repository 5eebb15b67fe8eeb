// What makes the tablet page nicer; without it everything still works, one reload at a time.

// How often the board is asked for: while the server tells what is new, only so that the times on it stay true, and a
// line that is dead is noticed.
const REFRESH_MS = 5000;
const REFRESH_WHILE_TOLD_MS = 15000;
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

// A new order or an arrival makes itself heard. A browser lets a page make noise only after a touch of it: the button is
// that touch, and the tablet remembers what was chosen.
const sound = document.querySelector("#sound");
let speaker = null;

const ring = () => {
  if (speaker?.state !== "running") return;
  [880, 1175].forEach((pitch, number) => {
    const tone = new OscillatorNode(speaker, { frequency: pitch });
    const volume = new GainNode(speaker, { gain: 0.2 });
    const begin = speaker.currentTime + number * 0.18;
    volume.gain.setTargetAtTime(0, begin + 0.1, 0.05);
    tone.connect(volume).connect(speaker.destination);
    tone.start(begin);
    tone.stop(begin + 0.4);
  });
};

const setSound = (on) => {
  if (on) speaker ??= new AudioContext();
  else speaker?.close().then(() => (speaker = null));
  speaker?.resume();
  sound.setAttribute("aria-pressed", String(on));
  localStorage.setItem("sound", on ? "on" : "off");
};

if (board && "AudioContext" in window) {
  sound.hidden = false;
  sound.addEventListener("click", () => {
    setSound(sound.getAttribute("aria-pressed") !== "true");
    setTimeout(ring, 100); // so that it is known how it sounds
  });
  if (localStorage.getItem("sound") === "on") {
    sound.setAttribute("aria-pressed", "true");
    document.addEventListener("pointerdown", () => setSound(sound.getAttribute("aria-pressed") === "true"), { once: true });
  }
}

if (board) {
  let shown = null; // what the server sent last; the browser's own serialisation of it differs
  let timer = null;
  let turns = 0;

  const refresh = async () => {
    clearTimeout(timer);
    const turn = ++turns;
    try {
      const answer = await fetch(board.dataset.url, { signal: AbortSignal.timeout(REFRESH_MS) });
      if (answer.redirected) return location.reload(); // signed out meanwhile
      if (!answer.ok) throw new Error(answer.statusText);
      const html = await answer.text();
      if (turn !== turns) return; // somebody has asked again meanwhile: the newest answer counts
      show(html);
      setStale(false);
    } catch {
      if (turn !== turns) return;
      setStale(true);
    }
    listen();
    schedule();
  };

  const schedule = () => {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(refresh, isTold ? REFRESH_WHILE_TOLD_MS : REFRESH_MS);
  };

  // The server says that something is new as soon as it is. Where it cannot (too many lines are open, a proxy that knows
  // none), the board is asked for every few seconds, as before.
  let line = null;
  let isTold = false;
  const setTold = (told) => {
    if (told === isTold) return; // a line that is tried again and again must not put off the asking each time
    isTold = told;
    schedule();
  };
  const listen = () => {
    if (document.hidden || (line && line.readyState !== EventSource.CLOSED)) return;
    line = new EventSource(board.dataset.stream);
    line.addEventListener("board", refresh);
    line.addEventListener("open", () => setTold(true));
    line.addEventListener("error", () => setTold(false));
  };
  const hangUp = () => {
    line?.close();
    isTold = false;
    clearTimeout(timer);
  };

  const show = (html) => {
    // Only the clocks of those who wait have gone on: they do so by themselves (counter.js).
    if (timeless(html) === shown || board.matches(":active")) return; // never away from under a finger
    const before = counts();
    const focused = board.contains(document.activeElement) ? document.activeElement.id : "";
    shown = timeless(html);
    board.innerHTML = html;
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    announce(before, counts());
  };

  const timeless = (html) => html.replace(/ data-waited="\d+">[^<]*/g, "");

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
    if (news.length) ring();
  };

  const setStale = (stale) => {
    document.querySelector("#stale").hidden = !stale;
  };

  document.addEventListener("visibilitychange", () => (document.hidden ? hangUp() : refresh()));
  addEventListener("pagehide", hangUp);
  addEventListener("online", refresh);
  addEventListener("offline", refresh);
  listen();
  schedule();
}
