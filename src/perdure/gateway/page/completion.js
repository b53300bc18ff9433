/** Words that can be completed: where one can go, who is here, and what was seen lately. Pure. */

const WORDS_MAX = 3000;
const CHARS_MIN = 3; // shorter words are typed faster than completed
const SHOWN_MAX = 8;
const WORD = /[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}'’_-]*[\p{L}\p{N}\p{M}])?/gu; // it ends with no quote or dash
const LAST_WORD = /[\p{L}\p{N}][\p{L}\p{N}\p{M}'’_-]*$/u;

export class Completion {
  #words = new Map(); // lower case -> as seen; the latest is the last
  #names = [];
  #cycle = null; // {before, typed, after, candidates, at}

  /** Which ways lead out, and who is here: these come first, as they are written. */
  set names(names) {
    this.#names = names;
  }

  /** What was shown, or typed. */
  see(text) {
    for (const [word] of text.matchAll(WORD)) {
      if (word.length < CHARS_MIN) continue;
      const key = word.toLowerCase();
      this.#words.delete(key);
      this.#words.set(key, word);
    }
    while (this.#words.size > WORDS_MAX) this.#words.delete(this.#words.keys().next().value);
  }

  /** The next completion of the word left of the caret: {text, caret, candidates, at}; null if there is none. */
  next(text, caret) {
    this.#cycle ??= this.#begin(text, caret);
    const cycle = this.#cycle;
    if (!cycle) return null;
    cycle.at = (cycle.at + 1) % (cycle.candidates.length + 1); // after the last one, what was typed
    const head = cycle.before + (cycle.candidates[cycle.at] ?? cycle.typed);
    return { text: head + cycle.after, caret: head.length, candidates: cycle.candidates, at: cycle.at };
  }

  /** What was typed before completing began, as `next` gives it; null if nothing is being completed. */
  undo() {
    const cycle = this.#cycle;
    this.#cycle = null;
    return cycle && { text: cycle.before + cycle.typed + cycle.after, caret: (cycle.before + cycle.typed).length };
  }

  /** The player goes on typing: what stands there is taken. */
  leave() {
    this.#cycle = null;
  }

  #begin(text, caret) {
    const typed = LAST_WORD.exec(text.slice(0, caret))?.[0];
    const candidates = typed ? this.#candidates(typed) : [];
    if (!candidates.length) return null;
    return { before: text.slice(0, caret - typed.length), typed, after: text.slice(caret), candidates, at: -1 };
  }

  #candidates(typed) {
    const prefix = typed.toLowerCase();
    const longer = (key) => key.startsWith(prefix) && key.length > prefix.length;
    const found = new Map();
    for (const name of this.#names) if (longer(name.toLowerCase())) found.set(name.toLowerCase(), name);
    for (const key of [...this.#words.keys()].reverse()) {
      if (found.size >= SHOWN_MAX) break;
      // A word that began a sentence is no name: what was typed keeps its own case.
      if (longer(key) && !found.has(key)) found.set(key, typed + this.#words.get(key).slice(typed.length));
    }
    return [...found.values()].slice(0, SHOWN_MAX);
  }
}
