// What makes the tablet page nicer; without it everything still works, one reload at a time.

import { admit, pack, send, steps } from "./notebook.js";

// How often the board is asked for: while the server tells what is new, only so that the times on it stay true, and a
// line that is dead is noticed.
const REFRESH_MS = 5000;
const REFRESH_WHILE_TOLD_MS = 15000;
const TOAST_MS = 8000;
// What it needs without a network is taken along after each change, but not more often than this.
const PACK_MS = 10000;
const SEND_MS = 10000;
const LOST_AFTER = 2; // questions without an answer

const board = document.querySelector("#board");
const code = document.querySelector("#code");

// A code that was refused is there to be typed over, or to be mended; what was typed before this file came, is not.
code?.addEventListener("focus", () => code.select());
if (document.activeElement === code && code.value === code.defaultValue) code.select();

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

// Nobody should see what a tablet shows that somebody has put down. The server locks it, too; a touch without a request
// tells it that somebody is there.
const lock = document.querySelector("#lock");
if (lock) {
  const AWAKE_MS = 60_000;
  // The page that stands in where there is no network asks for the PIN, too, and goes by the same last touch, whichever
  // page it was of. That a page opens is no touch: some do by themselves.
  localStorage.removeItem("locked");
  if (!localStorage.getItem("touched")) localStorage.setItem("touched", String(Date.now()));
  admit().catch(() => {});
  lock.addEventListener("submit", () => localStorage.setItem("locked", "yes"));
  let told = Date.now();
  const touch = () => {
    const now = Date.now();
    localStorage.setItem("touched", String(now));
    if (now - told < AWAKE_MS) return;
    told = now;
    fetch(lock.dataset.awake, { method: "POST", body: new URLSearchParams({ csrf_token: lock.elements.csrf_token.value }) })
      .catch(() => {});
  };
  for (const event of ["pointerdown", "keydown", "wheel"]) addEventListener(event, touch, { passive: true });
  setInterval(() => {
    const idle = Date.now() - Number(localStorage.getItem("touched"));
    if (idle >= Number(lock.dataset.afterSeconds) * 1000) lock.requestSubmit();
  }, 5000);
}

// Without a network another page stands in, which a service worker keeps. What was done there is sent from any page.
const language = document.documentElement.lang;
if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("/staff/worker.js", { scope: "/staff" }).catch(() => {});
  navigator.serviceWorker.ready.then(({ active }) => {
    if (sessionStorage.getItem("offline-language") === language) return;
    active.postMessage("fill");
    sessionStorage.setItem("offline-language", language);
  });
}

const sendUnsent = async () => {
  const unsent = document.querySelector("#unsent");
  if ((await steps()).length) await send(lock.elements.csrf_token.value).catch(() => {});
  const { length } = await steps();
  unsent.hidden = !length;
  unsent.textContent = length === 1 ? unsent.dataset.one : unsent.dataset.many.replace("{0}", length);
};

if (lock) {
  sendUnsent().catch(() => {});
  addEventListener("online", () => sendUnsent().catch(() => {}));
  setInterval(() => sendUnsent().catch(() => {}), SEND_MS);
}

if (board) {
  let packed = 0;
  let unanswered = 0;
  const takeAlong = () => {
    if (Date.now() - packed < PACK_MS) return;
    packed = Date.now();
    pack().catch(() => (packed = 0));
  };
  takeAlong();

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
      if (html !== shown) takeAlong();
      show(html);
      setStale(false);
      unanswered = 0;
    } catch {
      if (turn !== turns) return;
      setStale(true);
      // Never away from under somebody who types.
      if (++unanswered >= LOST_AFTER && navigator.serviceWorker?.controller && !code?.value) {
        return location.assign("/staff/offline");
      }
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
    const words = document.querySelector("#news").dataset;
    if (after.here > before.here) news.push(words.here);
    if (after.orders > before.orders) news.push(words.toPick.replace("{0}", after.orders - before.orders));
    if (after.goods > before.goods) news.push(words.toSend.replace("{0}", after.goods - before.goods));
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
