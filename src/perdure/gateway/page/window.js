/** The window: its size in characters, and the part of it that a phone's keyboard leaves. */

const PAUSE_S = 0.25;
const COLUMNS = [20, 400];
const ROWS = [5, 200];

/** How many characters fit into `element`: {columns, rows}. */
export function size(element) {
  const probe = document.createElement("span");
  probe.className = "probe";
  probe.textContent = "0".repeat(10);
  element.append(probe);
  const { width } = probe.getBoundingClientRect();
  const height = parseFloat(getComputedStyle(probe).lineHeight);
  probe.remove();
  const within = (value, [least, most]) => Math.min(most, Math.max(least, Math.floor(value) || least));
  const { paddingLeft, paddingRight } = getComputedStyle(element);
  const room = element.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
  return { columns: within(room / (width / 10), COLUMNS), rows: within(element.clientHeight / height, ROWS) };
}

/** Call `changed(size)` when another number of characters fits, and keep the page above a phone's keyboard. */
export function follow(element, changed) {
  let timer = 0;
  let told = JSON.stringify(size(element));
  new ResizeObserver(() => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const now = size(element);
      if (JSON.stringify(now) !== told) changed(now);
      told = JSON.stringify(now);
    }, PAUSE_S * 1000);
  }).observe(element);
  const fit = () => {
    if (visualViewport.scale > 1.01) return; // somebody looks closer: that is no keyboard
    document.documentElement.style.setProperty("--height", `${visualViewport.height}px`);
    scrollTo(0, 0); // Safari moves the page up instead of making it smaller
  };
  window.visualViewport?.addEventListener("resize", fit);
}
