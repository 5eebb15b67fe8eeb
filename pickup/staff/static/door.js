// The tablet's door: who signs in leaves what it takes to open a locked tablet without a network. Nobody being signed in,
// nothing of the store stays here but steps that are not sent yet.

import { forget, rememberPin } from "./notebook.js";

const form = document.querySelector("form.panel");
if (form.hasAttribute("data-nobody")) forget("luggage").catch(() => {});
// What the server has locked is locked without a network, too.
else localStorage.setItem("locked", "yes");

// What was typed before and did not open must not be what is remembered.
forget("knock").catch(() => {});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await rememberPin(form.elements.pin.value);
  } catch {
    // Without it the tablet opens when the network is back.
  }
  form.submit();
});
