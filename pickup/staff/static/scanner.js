// Barcodes: from a scanner that types like a keyboard, wherever the focus is, or from the camera where the browser can
// read them. What was read goes to the right place: a unit into its bag, a code to the handover, a number to its order.

// A scanner types faster than anybody, and ends with Enter.
const BETWEEN_KEYS_MS = 60;
const LENGTH_MIN = 4;
const FORMATS = ["qr_code", "ean_13", "ean_8", "upc_a", "upc_e", "code_128", "code_39", "itf"];
const LOOK_EVERY_MS = 150;
const SAME_AGAIN_MS = 1500;
const WHOLE_CODE = /^[a-z0-9]{3}-[a-z0-9]{3}-[a-z0-9]{3}$/i;

const say = (words) => {
  document.querySelector("#news").textContent = words;
};

// Something small that is seen, too, and goes away by itself.
const toast = (words) => {
  const shown = document.createElement("p");
  shown.className = "toast calm";
  shown.textContent = words;
  document.querySelector(".toasts")?.replaceChildren(shown);
  setTimeout(() => shown.remove(), 8000);
  say(words);
};

// Two sounds that nobody mistakes for each other. A tablet whose sound was put out stays silent.
let speaker = null;
const wake = () => {
  if ("AudioContext" in window) speaker ??= new AudioContext();
};
// Not at once: it may take longer than a scanner takes for its next key.
for (const touch of ["pointerdown", "keydown"]) document.addEventListener(touch, () => setTimeout(wake), { once: true });

const sound = (pitches, shape) => {
  if (localStorage.getItem("sound") === "off" || speaker?.state !== "running") return;
  pitches.forEach((pitch, number) => {
    const tone = new OscillatorNode(speaker, { frequency: pitch, type: shape });
    const volume = new GainNode(speaker, { gain: 0.2 });
    const begin = speaker.currentTime + number * 0.16;
    volume.gain.setTargetAtTime(0, begin + 0.08, 0.03);
    tone.connect(volume).connect(speaker.destination);
    tone.start(begin);
    tone.stop(begin + 0.3);
  });
};
const sounds = { good: () => sound([1320], "sine"), bad: () => sound([220, 165], "sawtooth") };

const handOver = (text) => {
  const field = document.querySelector("#code");
  const form = field?.form;
  if (!form) return handOverFromAnywhere(text);
  field.value = text;
  form.requestSubmit();
};

const token = () => document.querySelector('input[name="csrf_token"]').value;

const handOverFromAnywhere = (text) => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = "/staff/hand-over";
  for (const [name, value] of Object.entries({ csrf_token: token(), code: text })) {
    const field = Object.assign(document.createElement("input"), { type: "hidden", name, value });
    form.append(field);
  }
  document.body.append(form);
  form.submit();
};

// The cards of the orders that have what was scanned last; the board is put in place anew every few seconds.
let marked = [];
const mark = () => {
  document.querySelectorAll(".card.scanned").forEach((card) => card.classList.remove("scanned"));
  const cards = marked.map((number) => document.getElementById(`order-${number}`)).filter(Boolean);
  cards.forEach((card) => card.classList.add("scanned"));
  return cards;
};

const board = document.querySelector("#board");
if (board) new MutationObserver(() => marked.length && mark()).observe(board, { childList: true });

const highlight = (numbers) => {
  marked = numbers;
  const [first] = mark();
  first?.scrollIntoView({ block: "center" });
  first?.focus({ preventScroll: true });
};

const ask = async (text) => {
  const body = new URLSearchParams({ csrf_token: token(), scanned: text });
  const answer = await fetch("/staff/scan", { method: "POST", body });
  if (answer.redirected || !answer.ok) return location.reload();
  const meaning = await answer.json();
  if (meaning.kind === "code") return handOver(meaning.code);
  if (meaning.kind === "order") return location.assign(meaning.go);
  if (meaning.kind === "goods") highlight(meaning.numbers);
  meaning.kind === "goods" ? sounds.good() : sounds.bad();
  toast(meaning.words);
};

// A page of its own may want it first: the pick list takes everything but the codes of people who come.
const read = (text) => {
  const taken = !document.dispatchEvent(
    new CustomEvent("scanned", { cancelable: true, detail: { text, isCode: WHOLE_CODE.test(text), ...sounds } }),
  );
  if (taken) return;
  if (WHOLE_CODE.test(text)) return handOver(text);
  ask(text).catch(() => toast("No connection. Scan it again in a moment."));
};

// The keyboard

let typed = "";
let last = 0;
let before = null; // what stood in the field before the scanner typed into it

document.addEventListener(
  "keydown",
  (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const now = event.timeStamp;
    const isFast = now - last <= BETWEEN_KEYS_MS;
    last = now;
    if (event.key === "Enter") {
      const text = typed.trim();
      typed = "";
      if (isFast && text.length >= LENGTH_MIN && !keepsScans(event.target) && looksScanned(text)) {
        event.preventDefault();
        event.stopPropagation();
        giveBack();
        read(text);
      }
      return;
    }
    if (event.key.length !== 1) return;
    if (!isFast || !typed) {
      typed = "";
      before = isField(event.target) ? { field: event.target, value: event.target.value } : null;
    }
    typed += event.key;
  },
  true,
);

const isField = (element) => element.matches?.("input, textarea");

// Where somebody searches, or notes a shelf that has a label, the scanner types for them.
const keepsScans = (element) => element.matches?.("[data-keeps-scans], [type=password], textarea");

// Into a field people type words, too, and some type fast: only what no word is, is taken out of it again.
const looksScanned = (text) => !before || WHOLE_CODE.test(text) || /^\d{6,14}$/.test(text) || text.includes("/p/");

const giveBack = () => {
  if (before) before.field.value = before.value;
  before = null;
};

// The camera

const canLook = "BarcodeDetector" in window && Boolean(navigator.mediaDevices?.getUserMedia);

const look = async () => {
  const dialog = document.createElement("dialog");
  dialog.className = "camera";
  const labels = document.querySelector("#news").dataset;
  dialog.setAttribute("aria-label", labels.lens);
  const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
  const close = Object.assign(document.createElement("button"), {
    type: "button",
    className: "plain",
    textContent: labels.close,
  });
  dialog.append(video, close);
  document.body.append(dialog);
  const mirror = mirrorOfSaid(dialog);
  let stream = null;
  const stop = () => {
    stream?.getTracks().forEach((track) => track.stop());
    mirror?.disconnect();
    dialog.remove();
  };
  dialog.addEventListener("close", stop);
  close.addEventListener("click", () => dialog.close());
  dialog.showModal();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    dialog.close();
    return toast(labels.noLens);
  }
  if (!dialog.open) return stop();
  video.srcObject = stream;
  video.play().catch(() => {});
  const detector = new BarcodeDetector({ formats: await readable() });
  const staysOpen = Boolean(document.querySelector("#counting"));
  const seen = new Map();
  while (dialog.open) {
    const found = await detector.detect(video).catch(() => []);
    const text = found[0]?.rawValue?.trim();
    // What is held before the camera is seen again and again, and meant once.
    if (text && dialog.open && !(performance.now() - seen.get(text) < SAME_AGAIN_MS)) {
      if (!staysOpen) dialog.close();
      read(text);
    }
    if (text) seen.set(text, performance.now());
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
};

// While the camera is open, what a pick list says stands under its picture.
const mirrorOfSaid = (dialog) => {
  const said = document.querySelector("#said");
  if (!said) return null;
  const words = document.createElement("p");
  words.setAttribute("role", "status");
  dialog.querySelector("video").after(words);
  const observer = new MutationObserver(() => {
    words.textContent = said.textContent;
    words.className = said.className;
  });
  observer.observe(said, { childList: true, attributes: true });
  return observer;
};

const readable = async () => {
  const known = await BarcodeDetector.getSupportedFormats();
  return FORMATS.filter((format) => known.includes(format));
};

if (canLook) {
  for (const button of document.querySelectorAll("[data-camera]")) {
    button.hidden = false;
    button.addEventListener("click", look);
  }
}
