/** Colours that stay legible: any colour of a game is moved towards black or white until it can be read. Pure. */

/** Least contrast of text, as WCAG 2.2 has it at level AA (1.4.3). */
export const CONTRAST_MIN = 4.5;

/** What the page's own backgrounds are; style.css has the same two. */
export const PAPER = { light: [250, 248, 244], dark: [20, 23, 26] };

/** The sixteen as they are where a game sets a background as well. */
const NAMED = [
  [0, 0, 0], [170, 34, 34], [24, 120, 44], [150, 106, 0], [38, 80, 190], [140, 44, 156], [0, 112, 124], [204, 204, 200],
  [90, 96, 102], [240, 96, 88], [92, 200, 96], [240, 208, 104], [110, 160, 250], [224, 140, 236], [96, 214, 224], [255, 255, 255],
];

/** Contrast of two colours, 1…21 (WCAG 2.2, "contrast ratio"). */
export function contrast(one, other) {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

/** `colour`, or the colour nearest to it on the way to black or white that can be read on `background`. */
export function readable(colour, background) {
  if (contrast(colour, background) >= CONTRAST_MIN) return colour;
  const end = contrast([255, 255, 255], background) > contrast([0, 0, 0], background) ? 255 : 0;
  for (let share = 0.05; share < 1; share += 0.05) {
    const mixed = colour.map((part) => Math.round(part + (end - part) * share));
    if (contrast(mixed, background) >= CONTRAST_MIN) return mixed;
  }
  return [end, end, end];
}

/** A colour as three numbers. */
export function rgb(colour) {
  return typeof colour === "number" ? NAMED[colour] : colour;
}

/** A colour for CSS. */
export function css(colour) {
  return `rgb(${colour.join(" ")})`;
}

/** Give `element` the look of an SGR style. Only classes and single properties are set, never markup. */
export function dress(element, style) {
  for (const flag of ["bold", "faint", "italic", "underline", "strike"]) if (style[flag]) element.classList.add(flag);
  const [fg, bg] = style.inverse ? [style.bg, style.fg] : [style.fg, style.bg];
  if (style.inverse && fg === null && bg === null) {
    element.classList.add("inverse");
  } else if (bg !== null || style.inverse) {
    const paper = rgb(bg ?? 7);
    element.style.backgroundColor = css(paper);
    element.style.color = css(readable(fg === null ? (luminance(paper) > 0.18 ? [0, 0, 0] : [255, 255, 255]) : rgb(fg), paper));
  } else if (typeof fg === "number") {
    element.classList.add(`c${fg}`);
  } else if (fg !== null) {
    element.classList.add("rgb");
    element.style.setProperty("--on-light", css(readable(fg, PAPER.light)));
    element.style.setProperty("--on-dark", css(readable(fg, PAPER.dark)));
  }
}

function luminance(colour) {
  const [red, green, blue] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
