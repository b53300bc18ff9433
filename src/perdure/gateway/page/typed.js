/** What the player typed, kept for this tab, so that a page that is loaded anew shows it between the texts again. */

const LINES_MAX = 200;
const CHARS_MAX = 20_000;

export class Typed {
  #store;
  #lines; // {serial, n, text}: `serial` of what was shown last when it was typed
  #due; // those of an earlier page that are not shown yet
  #begun = false;

  /** `pending`: lines {n, text} that the server has not taken, of whatever age. */
  constructor(store, pending) {
    this.#store = store;
    this.#lines = store.get([]);
    const waits = new Set(pending.map(({ n }) => n));
    const taken = this.#lines.filter(({ n }) => !waits.has(n)).map(({ serial, text }) => ({ serial, text }));
    this.#due = [...taken, ...pending.map((line) => ({ ...line, serial: Infinity }))];
  }

  /** These lines {n, text} were typed after `serial` was shown. */
  add(serial, lines) {
    this.#lines.push(...lines.map((line) => ({ serial, ...line })));
    let chars = 0;
    const from = this.#lines.findLastIndex(({ text }) => (chars += text.length) > CHARS_MAX);
    this.#lines = this.#lines.slice(Math.max(from + 1, this.#lines.length - LINES_MAX));
    this.#store.set(this.#lines);
  }

  /** Lines {n, text} of an earlier page to be shown before what is numbered `serial`; `again`: which that page had. */
  before(serial, again) {
    if (!this.#begun) this.#due = this.#due.filter((line) => line.serial + 1 >= serial); // older than the oldest text
    this.#begun = true;
    const at = again ? this.#due.findIndex((line) => line.serial >= serial) : -1;
    return this.#due.splice(0, at < 0 ? this.#due.length : at);
  }

  /** They are nobody's any more. */
  clear() {
    this.#lines = [];
    this.#due = [];
    this.#store.set(null);
  }
}
