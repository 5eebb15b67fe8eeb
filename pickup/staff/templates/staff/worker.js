// The service worker of the tablet page: while there is no network, it opens the page that works without one.
// What is new in any of the files gives this file another text, and so the tablet another worker.

const SHELL = "/staff/offline";
const FILES = {{ files | tojson }};
const CACHE = "pickup-offline";
// For the first word of an answer; how long the rest takes on a poor line is its own business.
const PATIENCE_MS = 8000;

const refill = async () => {
  const cache = await caches.open(CACHE);
  await cache.addAll([SHELL, ...FILES].map((address) => new Request(address, { cache: "reload" })));
  const wanted = new Set([SHELL, ...FILES].map((address) => new URL(address, location.origin).href));
  for (const request of await cache.keys()) if (!wanted.has(request.url)) await cache.delete(request);
};

// One after the other: what was asked for in the language before must not come last.
let filling = Promise.resolve();
const fill = () => (filling = filling.catch(() => {}).then(refill));

addEventListener("install", (event) => event.waitUntil(fill().then(() => skipWaiting())));
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
// A page has come over the network, maybe in another language.
addEventListener("message", (event) => event.data === "fill" && event.waitUntil(fill().catch(() => {})));

const shell = async () => (await caches.match(SHELL)) ?? Response.error();

// A page; where none comes, the one that needs no network. A step that was on its way may or may not have been taken:
// whoever takes it again there is told what became of it.
const page = async (request) => {
  const patience = new AbortController();
  const timer = request.method === "GET" && setTimeout(() => patience.abort(), PATIENCE_MS);
  try {
    const answer = await fetch(request, { signal: patience.signal });
    clearTimeout(timer);
    return answer.status >= 502 && answer.status <= 504 ? shell() : answer;
  } catch {
    return shell();
  }
};

const file = async (request) => {
  if (new URL(request.url).searchParams.has("v")) {
    const found = await caches.match(request);
    if (found) return found;
  }
  try {
    return await fetch(request);
  } catch {
    return (await caches.match(request)) ?? Response.error();
  }
};

// Somebody is called: an order has come, or its customer.
addEventListener("push", (event) => {
  const { title, body, tag } = event.data.json();
  const icon = FILES.find((address) => address.includes("icon"));
  event.waitUntil(registration.showNotification(title, { body, tag, icon, renotify: true, requireInteraction: true }));
});
addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(
    clients.matchAll({ type: "window" }).then(([open]) => (open ? open.focus() : clients.openWindow("/staff"))),
  );
});

addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  if (address.origin !== location.origin) return;
  if (event.request.mode === "navigate") event.respondWith(page(event.request));
  else if (event.request.method === "GET" && address.pathname.includes("/static/")) event.respondWith(file(event.request));
});
