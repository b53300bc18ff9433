/** Text with SGR sequences, taken apart into runs of one style each. Pure. */

/** A colour is null (the page's own), a number 0…15 (named), or [red, green, blue]. */
export const PLAIN = Object.freeze({
  fg: null, bg: null, bold: false, faint: false, italic: false, underline: false, inverse: false, strike: false,
});

const ESCAPES = /\x1b\[([0-9;:]*)m|\x1b\[[0-?]*[ -/]*[@-~]?|\x1b.?|[\0-\x08\x0b-\x1f\x7f-\x9f]/g;
const LEVELS = [0, 95, 135, 175, 215, 255]; // of xterm's 6×6×6 cube

/** Runs of `text`, each {text, style}, and the style that holds at its end. Other control sequences are dropped. */
export function parse(text, style = PLAIN) {
  const runs = [];
  let from = 0;
  for (const found of text.matchAll(ESCAPES)) {
    if (found.index > from) runs.push({ text: text.slice(from, found.index), style });
    if (found[1] !== undefined) style = applied(style, found[1]);
    from = found.index + found[0].length;
  }
  if (from < text.length) runs.push({ text: text.slice(from), style });
  return { runs, style };
}

/** `text` without any sequence. */
export function plain(text) {
  return text.replace(ESCAPES, "");
}

/** Colour `index` of xterm's 256. */
export function indexed(index) {
  if (index < 16) return index;
  if (index >= 232) return Array(3).fill(8 + 10 * (index - 232));
  const cube = index - 16;
  return [LEVELS[Math.floor(cube / 36)], LEVELS[Math.floor(cube / 6) % 6], LEVELS[cube % 6]];
}

const SWITCHES = {
  1: { bold: true }, 2: { faint: true }, 3: { italic: true }, 4: { underline: true }, 7: { inverse: true }, 9: { strike: true },
  21: { underline: true }, 22: { bold: false, faint: false }, 23: { italic: false }, 24: { underline: false },
  27: { inverse: false }, 29: { strike: false }, 39: { fg: null }, 49: { bg: null },
};

function applied(style, parameters) {
  const codes = parameters.split(";").map((group) => group.split(":").map(Number));
  for (let at = 0; at < codes.length; at++) {
    const [code, ...inner] = codes[at];
    if (code === 38 || code === 48) {
      const [colour, used] = inner.length ? [ofColons(inner), 0] : ofNumbers(codes.slice(at + 1).map(([first]) => first));
      at += used;
      if (colour !== null) style = { ...style, [code === 38 ? "fg" : "bg"]: colour };
    } else if (code === 4 && inner[0] === 0) {
      style = { ...style, underline: false };
    } else {
      style = code === 0 ? PLAIN : { ...style, ...(SWITCHES[code] ?? named(code)) };
    }
  }
  return style;
}

function named(code) {
  if (code >= 30 && code <= 37) return { fg: code - 30 };
  if (code >= 90 && code <= 97) return { fg: code - 82 };
  if (code >= 40 && code <= 47) return { bg: code - 40 };
  if (code >= 100 && code <= 107) return { bg: code - 92 };
  return {};
}

/** 38;5;N and 38;2;R;G;B: the colour, and how many numbers it took. */
function ofNumbers([kind, ...rest]) {
  if (kind === 5) return [valid(rest.slice(0, 1)), 2];
  if (kind === 2) return [valid(rest.slice(0, 3)), 4];
  return [null, 0];
}

/** 38:5:N, 38:2:R:G:B and 38:2:SPACE:R:G:B. */
function ofColons([kind, ...rest]) {
  if (kind === 5) return valid(rest.slice(0, 1));
  if (kind === 2) return valid(rest.slice(-3));
  return null;
}

function valid(numbers) {
  if (!numbers.length || !numbers.every((number) => number >= 0 && number <= 255)) return null;
  if (numbers.length === 1) return indexed(numbers[0]);
  return numbers.length === 3 ? numbers : null;
}
