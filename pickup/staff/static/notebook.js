// What a tablet keeps so that it can go on without a network, in IndexedDB: the store's orders as they were when it was
// last connected (`luggage`), the steps that are not sent yet (`steps`), and how to know the PIN of whoever is signed in
// (`door`). Codes and PINs are not in it, only what was reckoned from them.

const NAME = "pickup";
const VERSION = 1;
const SHIFT_MS = 12 * 3600 * 1000;
// Four digits are found in no time, however slow each try is: this keeps out who takes the tablet up, not who takes it apart.
const PIN_ROUNDS = 100_000;
const WRONG_PINS_MAX = 5;
// A step at which the server fails so often is left to a person; after these answers it is simply sent later.
const TRIES_MAX = 5;
const LATER = new Set([401, 403, 429, 502, 503, 504]);

const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));

let opened = null;

const open = () =>
  (opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("things");
      request.result.createObjectStore("steps", { keyPath: "position", autoIncrement: true });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  }));

const inStore = async (name, mode, work) => {
  const transaction = (await open()).transaction(name, mode, { durability: "strict" });
  const request = work(transaction.objectStore(name));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
};

export const keep = (name, thing) => inStore("things", "readwrite", (store) => store.put(thing, name));
export const kept = (name) => inStore("things", "readonly", (store) => store.get(name));
export const forget = (name) => inStore("things", "readwrite", (store) => store.delete(name));

export const steps = () => inStore("steps", "readonly", (store) => store.getAll());
export const add = (step) =>
  inStore("steps", "readwrite", (store) => store.add({ ...step, key: crypto.randomUUID(), at: new Date().toISOString() }));
export const strike = (step) => inStore("steps", "readwrite", (store) => store.delete(step.position));
const note = (step) => inStore("steps", "readwrite", (store) => store.put(step));

// As the server reckons it: `offline_codes.proof_of`.
const derive = async (secret, salt, rounds) => {
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(secret), "PBKDF2", false, ["deriveBits"]);
  return hex(await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations: rounds }, key, 256));
};

// As the server does it: `pickup_code.normalise`. A page's address, as a QR code may hold it, is no code.
export const normalise = (typed) =>
  typed
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, "")
    .slice(0, 64)
    .replace(/(.{3})(?=.)/g, "$1-");

export const proofOf = (typed, codes) => derive(normalise(typed), unhex(codes.salt), codes.rounds);

// Whoever signs in leaves what it takes to know their PIN again. What was typed counts only once the server has let
// somebody in with it (`admit`).
export const rememberPin = async (pin, id, isStillTyped) => {
  const salt = hex(crypto.getRandomValues(new Uint8Array(16)));
  const proof = await derive(pin, unhex(salt), PIN_ROUNDS);
  if (isStillTyped()) await keep("knock", { id, salt, proof, wrong: 0 });
};
export const admit = async () => {
  const id = sessionStorage.getItem("knock");
  if (id === null) return;
  sessionStorage.removeItem("knock");
  const knock = await kept("knock");
  await forget("knock");
  if (knock?.id === id) await keep("door", knock);
  else await forget("door");
};

// Whether it is that PIN; after five wrong ones only the server can say.
export const opens = async (pin) => {
  const door = await kept("door");
  if (!door || door.wrong >= WRONG_PINS_MAX) return null;
  const isRight = (await derive(pin, unhex(door.salt), PIN_ROUNDS)) === door.proof;
  await keep("door", { ...door, wrong: isRight ? 0 : door.wrong + 1 });
  return isRight;
};

// Take along what is needed, as long as there is a network.
export const pack = async () => {
  const answer = await fetch("/staff/offline/orders", { headers: { Accept: "application/json" } });
  // Nobody is signed in, or the tablet is not the store's any more: what it took along goes.
  if (new URL(answer.url).pathname === "/staff/sign-in") await forget("luggage");
  if (!answer.ok || answer.redirected) return false;
  await keep("luggage", await answer.json());
  return true;
};

// What was taken along, as long as a session lasts.
export const unpack = async () => {
  const luggage = await kept("luggage");
  if (!luggage || Date.now() - Date.parse(luggage.at) < SHIFT_MS) return luggage;
  return forget("luggage");
};

// Send what was done meanwhile, in order, one after the other, and only from one page at a time. What the server has
// judged is struck out; a conflict is on the board by then. What it cannot make sense of stays, marked, for a person;
// it holds up what else was done with its order, and nothing of others.
export const send = (token) =>
  navigator.locks.request("pickup-steps", async () => {
    const outcomes = [];
    const heldUp = new Set();
    for (const step of await steps()) {
      const { position, title, refused, tries = 0, ...body } = step;
      if (refused) heldUp.add(step.order_id);
      if (heldUp.has(step.order_id)) continue;
      const csrf_token = token ?? (await kept("luggage"))?.csrf_token;
      const answer = await fetch("/staff/offline/steps", {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/problem+json", "X-CSRFToken": csrf_token ?? "" },
        body: JSON.stringify(body),
      });
      if (LATER.has(answer.status)) break;
      if (answer.ok) {
        outcomes.push({ ...(await answer.json()), title });
        await strike(step);
        continue;
      }
      heldUp.add(step.order_id);
      const { detail } = await answer.json().catch(() => ({}));
      const isOver = answer.status < 500 || tries + 1 >= TRIES_MAX;
      await note({ ...step, tries: tries + 1, refused: isOver ? (detail ?? String(answer.status)) : undefined });
    }
    return outcomes;
  });
