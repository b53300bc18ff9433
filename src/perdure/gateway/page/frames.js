/** Work that touches the document, gathered: once per frame, and a bounded amount of it. */

const LINES_PER_FRAME = 200; // a slow machine lays these out in some 40 ms

export class Frames {
  #queue = [];
  #due = false;
  #work;
  #after;

  /** `work` takes one item and returns how many lines it wrote; `after` runs when some were done. */
  constructor(work, after) {
    this.#work = work;
    this.#after = after;
    document.addEventListener("visibilitychange", () => this.#queue.length && this.flush());
  }

  /** Do `item` in the next frame. A hidden page has no frames, and nothing to lay out: it does it at once. */
  add(item) {
    this.#queue.push(item);
    if (document.hidden) this.flush();
    else this.#schedule();
  }

  /** Do everything now. */
  flush() {
    this.#run(Infinity);
  }

  #schedule() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      this.#run(LINES_PER_FRAME);
      if (this.#queue.length) this.#schedule();
    });
  }

  #run(lines) {
    let done = 0;
    for (let written = 0; done < this.#queue.length && written < lines; done++) written += this.#work(this.#queue[done]);
    this.#queue.splice(0, done);
    if (done) this.#after();
  }
}
