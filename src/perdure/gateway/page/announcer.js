/** What a screen reader reads out: a log that only grows at its end, beside the text that is seen. */

const READ_MAX = 100; // of one batch: nobody listens to two thousand lines
const KEPT_MAX = 120; // removing is silent, so the oldest go unnoticed

export class Announcer {
  #element;

  constructor(element) {
    this.#element = element;
  }

  /** Have these lines read, in order. */
  say(...lines) {
    lines = lines.filter((line) => line.trim());
    const passed = lines.length - READ_MAX;
    if (passed > 0) lines = [`${passed} lines before these are in the text.`, ...lines.slice(passed)];
    const fragment = document.createDocumentFragment();
    for (const line of lines) {
      const paragraph = document.createElement("p");
      paragraph.textContent = line;
      fragment.append(paragraph);
    }
    this.#element.append(fragment);
    while (this.#element.childElementCount > KEPT_MAX) this.#element.firstElementChild.remove();
  }
}
