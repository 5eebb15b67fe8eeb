// Calls for a tablet that sleeps, by web push. Browsers want a touch before they let a page ask for it.

const ask = document.querySelector("#wake");

const subscribe = async () => {
  const worker = await navigator.serviceWorker.ready;
  const options = { userVisibleOnly: true, applicationServerKey: ask.dataset.key };
  const subscription = (await worker.pushManager.getSubscription()) ?? (await worker.pushManager.subscribe(options));
  const token = document.querySelector('input[name="csrf_token"]').value;
  const headers = { "Content-Type": "application/json", "X-CSRFToken": token };
  await fetch(ask.dataset.to, { method: "POST", headers, body: JSON.stringify(subscription) });
};

if (ask && "PushManager" in window && "Notification" in window && "serviceWorker" in navigator) {
  // A subscription may have ended meanwhile, or belong to the store that the tablet was in before.
  if (Notification.permission === "granted") subscribe().catch(() => {});
  if (Notification.permission === "default") ask.hidden = localStorage.getItem("wake") === "no";
  document.querySelector("#wake-yes").addEventListener("click", async () => {
    ask.hidden = true;
    if ((await Notification.requestPermission()) === "granted") await subscribe();
  });
  document.querySelector("#wake-no").addEventListener("click", () => {
    ask.hidden = true;
    localStorage.setItem("wake", "no");
  });
}
