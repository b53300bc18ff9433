/** Lines that were typed, and going through them. Pure. */

const LINES_MAX = 200;

export class History {
  #lines;
  #at = null; // where the player is in it; null = at what is being typed
  #draft = { text: "", prefix: "" };

  constructor(lines = []) {
    this.#lines = lines.slice(-LINES_MAX);
  }

  /** All lines, oldest first. */
  get lines() {
    return [...this.#lines];
  }

  /** The player sent this line. */
  add(line) {
    this.leave();
    if (!line.trim() || this.#lines.at(-1) === line) return;
    this.#lines.push(line);
    if (this.#lines.length > LINES_MAX) this.#lines.shift();
  }

  /** The next older line that begins with what stands left of the caret; null if there is none. */
  older(text, caret) {
    if (this.#at === null) this.#draft = { text, prefix: text.slice(0, caret) };
    return this.#find(-1, this.#at ?? this.#lines.length, this.#at === null ? text : this.#lines[this.#at]);
  }

  /** The next newer one, and after the newest what was being typed; null if the player is there already. */
  newer() {
    if (this.#at === null) return null;
    const found = this.#find(1, this.#at, this.#lines[this.#at]);
    if (found !== null) return found;
    this.#at = null;
    return this.#draft.text;
  }

  /** The player types again: the next search starts from there. */
  leave() {
    this.#at = null;
  }

  #find(step, from, shown) {
    for (let at = from + step; at >= 0 && at < this.#lines.length; at += step) {
      if (this.#lines[at].startsWith(this.#draft.prefix) && this.#lines[at] !== shown) {
        this.#at = at;
        return this.#lines[at];
      }
    }
    return null;
  }
}
