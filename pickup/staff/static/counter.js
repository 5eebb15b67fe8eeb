// Small things of the counter's pages: clocks that run, orders that are found while somebody types, paper.

// How long somebody has been waiting: counted on from what the server said, for the tablet's own clock may be wrong.
const since = new WeakMap();

const tick = () => {
  for (const clock of document.querySelectorAll("[data-waited]")) {
    if (!since.has(clock)) since.set(clock, performance.now() - Number(clock.dataset.waited) * 1000);
    const seconds = Math.floor((performance.now() - since.get(clock)) / 1000);
    // The words stay the server's; only its two numbers go on.
    const numbers = [Math.floor(seconds / 60), seconds % 60];
    const words = clock.textContent.replace(/\d+/g, () => numbers.shift());
    if (words !== clock.textContent) clock.textContent = words;
  }
};
setInterval(tick, 1000);
tick();

const form = document.querySelector("form.find");
const found = document.querySelector("#found");
const PAUSE_MS = 120;

if (form) {
  const field = form.querySelector("input");
  let timer = null;
  let turns = 0;

  const look = async () => {
    const turn = ++turns;
    const typed = field.value.trim();
    if (typed.length < 2) return found.replaceChildren();
    try {
      const answer = await fetch(`${form.dataset.list}?q=${encodeURIComponent(typed)}`);
      if (answer.redirected) return location.reload(); // signed out meanwhile
      const html = await answer.text();
      if (turn === turns && answer.ok) {
        found.innerHTML = html;
        document.querySelector("#news").textContent = found.querySelector("p")?.textContent ?? "";
      }
    } catch {
      // The button still works, or says why it does not.
    }
  };

  if (field.value) look(); // typed before this file came
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE_MS);
  });
  field.addEventListener("keydown", (event) => {
    const first = found.querySelector("a");
    if (event.key === "ArrowDown" && first) {
      event.preventDefault();
      first.focus();
    }
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
