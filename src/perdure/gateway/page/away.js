/** What was missed while the connection was lost: counted, announced by its number, and then read. */

const WAIT_MAX_S = 2; // if less comes than was promised, what came is announced

export class Away {
  #left = 0;
  #lines = [];
  #mark = null;
  #timer = 0;
  #hooks;

  /** `hooks.mark()` sets a line into the text and returns it; `hooks.say(...lines)` has them read. */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  /** The session goes on, and `missed` texts will follow that the player has not seen. */
  expect(missed) {
    this.#finish();
    this.#left = missed;
    if (missed) this.#timer = setTimeout(() => this.#finish(), WAIT_MAX_S * 1000);
  }

  /** A text is about to be shown: the first that was missed gets a line before it. */
  before(again) {
    if (this.#left && !again) this.#mark ??= this.#hooks.mark();
  }

  /** These lines were shown. Whether they were missed ones, and are read later. */
  take(lines, again) {
    if (!this.#left || again) return false;
    this.#lines.push(...lines);
    this.#left -= 1;
    if (!this.#left) this.#finish();
    return true;
  }

  #finish() {
    clearTimeout(this.#timer);
    if (this.#mark) {
      const count = this.#lines.filter((line) => line.trim()).length;
      const text = `${count} line${count === 1 ? "" : "s"} while you were away`;
      this.#mark.textContent = text;
      this.#hooks.say(`${text}.`, ...this.#lines);
    }
    this.#left = 0;
    this.#lines = [];
    this.#mark = null;
  }
}
