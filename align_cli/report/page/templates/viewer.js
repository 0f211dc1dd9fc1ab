"use strict";
// One centre and one scale for all panes of a viewer: there is nothing to keep in step.
(() => {
  const LARGEST = 32; // pixels of the screen a pixel of the image
  const BLINK_MS = 600;
  const NAMES = { target: "target", warped: "warped source" };
  const between = (value, low, high) => Math.min(Math.max(value, low), high);

  function setUp(root) {
    const all = (selector) => [...root.querySelectorAll(selector)];
    const one = (selector) => root.querySelector(selector);
    const stages = all("[data-stage]").map((element) => ({
      element,
      scene: element.querySelector(".scene"),
      width: Number(element.dataset.width),
      height: Number(element.dataset.height),
    }));
    const range = one("[data-divider]");
    const modes = all("input[type=radio]");
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const state = { zoom: 1, x: 0.5, y: 0.5, playing: !still, mode: modes.length ? modes[0].value : "none" };
    let timer = 0;

    const fit = (stage) =>
      Math.min(stage.element.clientWidth / stage.width, stage.element.clientHeight / stage.height);
    const scale = (stage) => fit(stage) * state.zoom;
    const mostZoom = () => Math.max(...stages.map((stage) => LARGEST / fit(stage)), 1);

    // All of it, or a pixel of the image as one of the screen where that is smaller.
    const leastZoom = () => Math.min(1, ...stages.map((stage) => 1 / fit(stage) / devicePixelRatio));

    // Where the scene's first pixel lies; a scene smaller than its stage is centred.
    function offset(stage, axis) {
      const [side, length] = axis === "x"
        ? [stage.element.clientWidth, stage.width * scale(stage)]
        : [stage.element.clientHeight, stage.height * scale(stage)];
      const first = length <= side + 0.5
        ? (side - length) / 2
        : between(side / 2 - state[axis] * length, side - length, 0);
      return Math.round(first * devicePixelRatio) / devicePixelRatio; // so that 1:1 blurs nothing
    }

    function draw() {
      for (const stage of stages) {
        const at = scale(stage);
        const left = offset(stage, "x");
        stage.scene.style.transform = `translate(${left}px, ${offset(stage, "y")}px) scale(${at})`;
        stage.scene.style.setProperty("--unit", 1 / at);
        stage.scene.style.setProperty("--squares", `${16 / at}px`);
        stage.element.classList.toggle("zoomed", state.zoom > 1);
        stage.element.classList.toggle("pixels", at * devicePixelRatio >= 1);
        if (range) {
          const share = Number(range.value) / Number(range.max);
          const cut = between((share * stage.element.clientWidth - left) / at, 0, stage.width);
          stage.element.style.setProperty("--at", `${100 * share}%`);
          stage.element.style.setProperty("--cut", `${cut}px`);
          stage.element.style.setProperty("--check", `${Math.max(stage.width, stage.height) / 5}px`);
        }
      }
      one("[data-zoom]").textContent = `${Math.round(100 * scale(stages[0]))} %`;
    }

    function size() {
      for (const stage of stages) {
        const width = stage.element.clientWidth;
        const height = between((width * stage.height) / stage.width, 120, 0.8 * innerHeight);
        stage.element.style.height = `${Math.round(height)}px`;
        // Lines of text are not of whole pixels, but single pixels must be.
        stage.element.style.marginTop = "0";
        const top = stage.element.getBoundingClientRect().top + scrollY;
        stage.element.style.marginTop = `${Math.ceil(top) - top}px`;
      }
      draw();
    }

    function show(mode) {
      state.mode = mode;
      root.dataset.mode = mode;
      const chosen = modes.find((radio) => radio.value === mode);
      if (chosen) one("p[data-hint]").textContent = chosen.dataset.hint;
      clearInterval(timer);
      if (mode === "blink") {
        blinkTo("target");
        play(state.playing);
      }
      tags();
    }

    function tags() {
      const left = one("[data-tag=left]");
      if (!left) return;
      const shown = { divider: NAMES.target, blink: NAMES[root.dataset.blink], target: NAMES.target, warped: NAMES.warped };
      left.textContent = shown[state.mode] || "";
      one("[data-tag=right]").textContent = state.mode === "divider" ? NAMES.warped : "";
    }

    function blinkTo(name) {
      root.dataset.blink = name;
      tags();
    }

    const swap = () => blinkTo(root.dataset.blink === "target" ? "warped" : "target");

    function play(playing) {
      state.playing = playing;
      clearInterval(timer);
      if (playing && state.mode === "blink") timer = setInterval(swap, BLINK_MS);
      one("[data-act=play]").textContent = playing ? "Pause" : "Play";
    }

    // About a point of a stage, in pixels of the screen; its middle without one.
    function zoomTo(zoom, stage = stages[0], x = stage.element.clientWidth / 2, y = stage.element.clientHeight / 2) {
      const before = scale(stage);
      const point = { x: (x - offset(stage, "x")) / before, y: (y - offset(stage, "y")) / before };
      state.zoom = between(zoom, leastZoom(), mostZoom());
      const after = scale(stage);
      centre((point.x - (x - stage.element.clientWidth / 2) / after) / stage.width,
        (point.y - (y - stage.element.clientHeight / 2) / after) / stage.height);
    }

    // No farther than the picture reaches, so that no drag is lost on what is beyond it.
    function centre(x, y) {
      const [stage] = stages;
      const half = [stage.element.clientWidth / stage.width, stage.element.clientHeight / stage.height]
        .map((side) => Math.min(side / scale(stage) / 2, 0.5));
      state.x = between(x, half[0], 1 - half[0]);
      state.y = between(y, half[1], 1 - half[1]);
      draw();
    }

    const move = (stage, dx, dy) =>
      centre(state.x - dx / scale(stage) / stage.width, state.y - dy / scale(stage) / stage.height);

    function divide(stage, x) {
      range.value = String(Math.round((Number(range.max) * x) / stage.element.clientWidth));
      draw();
    }

    const acts = {
      in: () => zoomTo(state.zoom * 1.5),
      out: () => zoomTo(state.zoom / 1.5),
      fit: () => zoomTo(1),
      one: () => zoomTo(1 / fit(stages[0]) / devicePixelRatio),
      play: () => play(!state.playing),
      swap: () => { play(false); swap(); },
    };

    function pointers(stage) {
      const down = new Map();
      let dividing = false;
      const place = (event) => {
        const box = stage.element.getBoundingClientRect();
        return { x: event.clientX - box.left - stage.element.clientLeft, y: event.clientY - box.top - stage.element.clientTop };
      };
      const spread = () => {
        const [a, b] = [...down.values()];
        return { apart: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
      };
      stage.element.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        down.set(event.pointerId, place(event));
        stage.element.setPointerCapture(event.pointerId);
        dividing = state.mode === "divider" && down.size === 1
          && (state.zoom <= 1 || event.target.closest("[data-line]") !== null);
        if (dividing) divide(stage, place(event).x);
      });
      stage.element.addEventListener("pointermove", (event) => {
        const now = place(event);
        tellWhere(stage, now);
        const last = down.get(event.pointerId);
        if (!last) return;
        const before = down.size === 2 ? spread() : null;
        down.set(event.pointerId, now);
        if (before) {
          const after = spread();
          zoomTo((state.zoom * after.apart) / Math.max(before.apart, 1), stage, after.x, after.y);
          move(stage, after.x - before.x, after.y - before.y);
        } else if (dividing) divide(stage, now.x);
        else move(stage, now.x - last.x, now.y - last.y);
      });
      for (const end of ["pointerup", "pointercancel"]) {
        stage.element.addEventListener(end, (event) => { down.delete(event.pointerId); });
      }
      stage.element.addEventListener("wheel", (event) => {
        if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
        event.preventDefault();
        const now = place(event);
        zoomTo(state.zoom * Math.exp(-event.deltaY / 200), stage, now.x, now.y);
      }, { passive: false });
      stage.element.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] }[event.key];
        if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
        const [dx, dy] = step;
        if (state.zoom > 1) move(stage, dx, dy);
        else if (state.mode === "divider" && dx) { range.value = String(Number(range.value) - Math.sign(dx) * 20); draw(); }
        else return;
        event.preventDefault();
      });
    }

    function tellWhere(stage, at) {
      const [x, y] = ["x", "y"].map((axis) => Math.floor((at[axis] - offset(stage, axis)) / scale(stage)));
      const inside = x >= 0 && y >= 0 && x < stage.width && y < stage.height;
      one("[data-where]").textContent = inside ? `pixel (${x}, ${y})` : "";
    }

    for (const radio of modes) radio.addEventListener("change", () => show(radio.value));
    for (const button of all("[data-act]")) button.addEventListener("click", acts[button.dataset.act]);
    for (const box of all("[data-toggle]")) {
      const follow = () => root.classList.toggle(`show-${box.dataset.toggle}`, box.checked);
      box.addEventListener("change", follow);
      follow();
    }
    if (range) range.addEventListener("input", draw);
    for (const image of all("img")) {
      const broken = () => { image.closest("figure").append(" (this image cannot be shown)"); };
      if (image.complete && !image.naturalWidth) broken();
      else image.addEventListener("error", broken);
    }
    stages.forEach(pointers);
    root.classList.add("live");
    for (const hidden of all(".controls, .keys")) hidden.hidden = false;
    show(state.mode);
    size();
    new ResizeObserver(size).observe(root);
    addEventListener("resize", size);

    return (key) => {
      if (!one("[data-keys]").checked) return false; // who speaks to the browser types by accident
      if (key === "?") { one(".keys").open = true; one(".keys summary").focus(); return true; }
      const target = all("[data-key]").find((each) => each.dataset.key === (key === "=" ? "+" : key));
      if (!target || (key === " " && state.mode !== "blink")) return false;
      target.click();
      return true;
    };
  }

  const viewers = [...document.querySelectorAll("[data-viewer]")].map((root) => ({ root, type: setUp(root) }));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    const { target } = event;
    if (target.closest("textarea, select, input[type=text]")) return;
    if (event.key === " " && target.closest("a, button, input, summary")) return; // it presses what has the focus
    const viewer = viewers.find((each) => each.root.contains(target)) || viewers[0];
    if (viewer && viewer.type(event.key)) event.preventDefault();
  });
})();
