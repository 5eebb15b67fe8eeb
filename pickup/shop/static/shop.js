// Two comforts, and nothing that the shop needs: where the browser is, and an order's page that follows the order.

const form = document.querySelector("[data-location]");
if (form && navigator.geolocation) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    if (form.elements.lat.value) return;
    event.preventDefault();
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        form.elements.lat.value = coords.latitude.toFixed(4);
        form.elements.lon.value = coords.longitude.toFixed(4);
        form.requestSubmit();
      },
      () => { form.querySelector("[data-location-error]").textContent = "Your browser does not say. Please give a postcode."; },
      { timeout: 10000, maximumAge: 600000 },
    );
  });
}

const order = () => document.querySelector("#order");

const look = async () => {
  try {
    const answer = await fetch(location.pathname, { signal: AbortSignal.timeout(20000) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.querySelector("#order");
    if (next && next.dataset.state !== order().dataset.state) {
      order().replaceWith(next);
      document.title = page.title;
      document.querySelector("#news").textContent = document.querySelector("#headline").textContent;
    }
  } catch {
    // No network for a moment; what is shown stays, and it is asked again.
  }
  schedule();
};

const schedule = () => {
  const seconds = order()?.dataset.refresh;
  if (seconds) setTimeout(look, seconds * 1000);
};

schedule();
