// A signature: strokes of a finger, a pen or a mouse, on a field of 1000 × 400.

const pad = document.querySelector("#pad");
const strokes = document.querySelector("#strokes");
const signed = document.querySelector("#signed");
const POINTS_MAX = 5000;
const STROKES_MAX = 200;

let drawn = [];

document.querySelector("#drawing").hidden = false;

const pointOf = (event) => {
  const box = pad.getBoundingClientRect();
  const within = (value, most) => Math.round(Math.min(Math.max(value, 0), 1) * most);
  return [
    within((event.clientX - box.left) / box.width, 1000),
    within((event.clientY - box.top) / box.height, 400),
  ];
};

const show = () => {
  const points = drawn.flat().length;
  signed.disabled = points < 2;
  strokes.disabled = points < 2;
  strokes.value = JSON.stringify(drawn);
};

let line = null;

const begin = (event) => {
  if (drawn.length >= STROKES_MAX) return;
  pad.setPointerCapture(event.pointerId);
  line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  pad.append(line);
  drawn.push([]);
  draw(event);
};

const draw = (event) => {
  if (!line || drawn.flat().length >= POINTS_MAX) return;
  const stroke = drawn.at(-1);
  stroke.push(pointOf(event));
  line.setAttribute("points", stroke.map((point) => point.join(",")).join(" "));
  show();
};

const end = () => {
  line = null;
};

pad.addEventListener("pointerdown", begin);
pad.addEventListener("pointermove", draw);
pad.addEventListener("pointerup", end);
pad.addEventListener("pointercancel", end);

document.querySelector("#clear").addEventListener("click", () => {
  drawn = [];
  pad.replaceChildren();
  show();
});
