/** What the player chose for this browser, and the dialog where it is chosen. The system's wishes hold until then. */

const SIZES_PX = { narrow: 14, wide: 16 };
const UNCHOSEN = { size: null, font: "mono", theme: "auto", contrast: null, motion: null, screenreader: false };

export class Settings {
  #store;
  #dialog;
  #fields;
  #chosen;
  #changed;
  #contrast = matchMedia("(prefers-contrast: more)");
  #motion = matchMedia("(prefers-reduced-motion: reduce)");
  #narrow = matchMedia("(max-width: 43.75em)");

  /** `changed(name)` is called with what the player chose: the server may have to know. */
  constructor(store, dialog, fields, changed) {
    this.#store = store;
    this.#dialog = dialog;
    this.#fields = fields;
    this.#changed = changed;
    this.#chosen = { ...UNCHOSEN, ...store.get({}) };
    for (const query of [this.#contrast, this.#motion, this.#narrow]) query.addEventListener("change", () => this.#show());
    fields.size.addEventListener("input", () => this.#choose("size", Number(fields.size.value)));
    for (const name of ["font", "theme"]) fields[name].addEventListener("change", () => this.#choose(name, fields[name].value));
    for (const name of ["contrast", "motion", "screenreader"]) {
      fields[name].addEventListener("change", () => this.#choose(name, fields[name].checked));
    }
    fields.reset.addEventListener("click", () => this.#reset());
    this.#show();
  }

  /** Whether text is written to be listened to. */
  get screenreader() {
    return this.#chosen.screenreader;
  }

  /** The server says what holds; it may have it from the player's account. */
  hold({ screenreader }) {
    if (typeof screenreader !== "boolean" || screenreader === this.#chosen.screenreader) return;
    this.#chosen.screenreader = screenreader;
    this.#store.set(this.#chosen);
    this.#show();
  }

  open() {
    this.#dialog.showModal();
  }

  #choose(name, value) {
    this.#chosen[name] = value;
    this.#store.set(this.#chosen);
    this.#show();
    this.#changed(name);
  }

  #reset() {
    this.#chosen = { ...UNCHOSEN };
    this.#store.set(null);
    this.#show();
    for (const name of Object.keys(UNCHOSEN)) this.#changed(name);
  }

  #show() {
    const { size, font, theme, contrast, motion, screenreader } = this.#chosen;
    const pixels = size ?? (this.#narrow.matches ? SIZES_PX.narrow : SIZES_PX.wide);
    const more = contrast ?? this.#contrast.matches;
    const less = motion ?? this.#motion.matches;
    const root = document.documentElement;
    root.style.setProperty("--size", `${pixels / 16}rem`);
    Object.assign(root.dataset, {
      font, theme, contrast: more ? "more" : "normal", motion: less ? "less" : "full", screenreader: String(screenreader),
    });
    const fields = this.#fields;
    fields.size.value = String(pixels);
    fields.sizeShown.textContent = String(pixels);
    fields.font.value = font;
    fields.theme.value = theme;
    fields.contrast.checked = more;
    fields.motion.checked = less;
    fields.screenreader.checked = screenreader;
  }
}
