// The tablet's door: who signs in leaves what it takes to open a locked tablet without a network. Nobody being signed in,
// nothing of the store stays here but steps that are not sent yet.

import { forget, rememberPin } from "./notebook.js";

const form = document.querySelector("form.panel");
if (form.hasAttribute("data-nobody")) for (const thing of ["luggage", "door"]) forget(thing).catch(() => {});
// What the server has locked is locked without a network, too.
else localStorage.setItem("locked", "yes");

// What was typed before and did not open must not be what is remembered.
sessionStorage.removeItem("knock");
forget("knock").catch(() => {});

// It is reckoned while somebody types, so that the form is sent at once; what is sent before it is done is not remembered.
const { pin } = form.elements;
let typed = "";
pin.addEventListener("input", () => {
  const id = (typed = crypto.randomUUID());
  if (pin.checkValidity()) rememberPin(pin.value, id, () => id === typed).catch(() => {});
});
form.addEventListener("submit", () => {
  sessionStorage.setItem("knock", typed);
  localStorage.setItem("touched", String(Date.now()));
});
