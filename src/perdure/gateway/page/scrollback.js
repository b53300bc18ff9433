/** The text: lines as elements, the newest in view unless the player reads further up. Built of text nodes only. */

import { dress } from "./colour.js";
import { parse, plain, PLAIN } from "./sgr.js";

/** More lines than these are not kept: the oldest go. */
export const LINES_MAX = 5000;
const NEWEST = 4;
const COLUMNS = /^ *\S+(?: \S+)* {2,}(?=\S)/; // "  look        Look around."
const NEAR_PX = 40; // so near to its end, the text counts as read to its end

/** Elements of `text`, in `style` at first; returns the style at the end. `add` takes each element and text node. */
export function render(text, style, add) {
  const { runs, style: end } = parse(text, style);
  for (const run of runs) {
    const node = document.createTextNode(run.text);
    if (run.style === PLAIN) {
      add(node);
    } else {
      const span = document.createElement("span");
      dress(span, run.style);
      span.append(node);
      add(span);
    }
  }
  return end;
}

export class Scrollback {
  #element;
  #lines; // the element in it that has them
  #newest;
  #open = null; // a line without its end yet
  #unread = 0;
  #follows = true;
  #seen = ""; // height of the text and of its window, when it was scrolled last
  #typed = new Map(); // n -> element, of the lines that the server has not taken

  /** `send` is called with the line of a link that the player follows; `newest` is the button to the end. */
  constructor(element, newest, send) {
    this.#element = element;
    this.#lines = element.firstElementChild;
    this.#newest = newest;
    const follow = (event) => {
      const link = event.target.closest?.("a.send");
      if (!link) return;
      event.preventDefault();
      send(link.dataset.send);
    };
    element.addEventListener("click", follow);
    element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") follow(event);
    });
    element.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    newest.addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.#follows && this.#jump()).observe(element);
  }

  /** Show `parts` of text; the plain text of the lines that this began. `settle` is due afterwards. */
  show(parts, { again = false } = {}) {
    const lines = [];
    const fragment = document.createDocumentFragment();
    const begun = [];
    let style = PLAIN;
    const put = (node) => {
      if (!this.#open) {
        this.#open = newLine(again ? "line again" : "line");
        begun.push(this.#open);
        fragment.append(this.#open);
        lines.push("");
      } else if (!lines.length) {
        lines.push("");
      }
      this.#open.append(node);
      lines[lines.length - 1] += node.textContent;
    };
    for (const part of parts) {
      if (typeof part === "string") {
        style = this.#text(part, style, put);
      } else {
        const link = newLink(part);
        style = render(part.text, style, (node) => link.append(node));
        put(link);
      }
    }
    begun.forEach(hang);
    this.#lines.append(fragment);
    if (!again) this.#unread += lines.length;
    return lines;
  }

  #text(text, style, put) {
    text.split("\n").forEach((piece, index) => {
      if (index > 0) {
        if (!this.#open) put(document.createTextNode("")); // an empty line
        this.#open = null;
      }
      style = render(piece, style, put);
    });
    return style;
  }

  /** Show lines {n, text} that the player typed; without `n` the server has them. `settle` is due afterwards. */
  typed(lines) {
    this.#open = null;
    for (const { n, text } of lines) {
      const line = newLine("line typed");
      line.textContent = text;
      this.#lines.append(line);
      if (n) this.#typed.set(n, line);
    }
  }

  /** The server took the typed lines up to `n`. */
  took(n) {
    for (const [number, line] of this.#typed) {
      if (number > n) continue;
      line.classList.remove("waiting");
      this.#typed.delete(number);
    }
  }

  /** The typed lines that were not taken wait for the connection; or they will never be sent. */
  waiting(lost = false) {
    for (const line of this.#typed.values()) {
      line.classList.add("waiting");
      if (lost) line.classList.replace("waiting", "unsent");
    }
    if (lost) this.#typed.clear();
  }

  /** The server will never take the typed line `n`. */
  refused(n) {
    this.#typed.get(n)?.classList.add("unsent");
    this.#typed.delete(n);
  }

  /** A line of the page's own, between the game's; returns its element. */
  notice(text) {
    const line = newLine("line notice");
    line.textContent = text;
    this.#line(line);
    return line;
  }

  /** Whether nothing was shown yet. */
  get empty() {
    return !this.#lines.childElementCount;
  }

  /** Whether `text` is one of the newest lines. */
  endsWith(text) {
    return [...this.#lines.children].slice(-NEWEST).some((line) => line.textContent === text);
  }

  /** Lines were added: the oldest go, and the newest come into view. Once per frame, for it lays out the page. */
  settle() {
    for (let extra = this.#lines.childElementCount - LINES_MAX; extra > 0; extra--) this.#lines.firstElementChild.remove();
    if (this.#follows) this.#jump();
    else this.#count(this.#unread);
  }

  /** Scroll to the newest line. */
  toEnd() {
    this.#follows = true;
    this.#jump();
  }

  /** Scroll by pages, as in a terminal. */
  page(direction) {
    this.#element.scrollBy({ top: direction * this.#element.clientHeight * 0.85 });
  }

  #line(line) {
    this.#open = null;
    this.#lines.append(line);
    this.settle();
  }

  #jump() {
    this.#element.scrollTop = this.#element.scrollHeight;
    this.#seen = this.#size();
    this.#count(0);
  }

  /** Only who scrolls leaves the end; a window or a text that takes another size does not. */
  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#element;
    const moved = this.#seen !== this.#size();
    if (this.#follows && moved) {
      this.#jump();
      return;
    }
    this.#seen = this.#size();
    this.#follows = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    this.#count(this.#follows ? 0 : this.#unread);
  }

  #size() {
    return `${this.#element.scrollHeight} ${this.#element.clientHeight}`;
  }

  #count(unread) {
    this.#unread = unread;
    this.#newest.hidden = this.#follows;
    this.#newest.textContent = unread ? `${unread} new line${unread === 1 ? "" : "s"} ↓` : "To the newest ↓";
  }
}

function newLine(className) {
  const line = document.createElement("div");
  line.className = className;
  return line;
}

/** What does not fit into a line goes on below its second column, or further in than the line begins. */
function hang(line) {
  const text = line.textContent;
  const columns = COLUMNS.exec(text)?.[0].length ?? (text.startsWith(" ") ? text.search(/\S|$/) + 2 : 0);
  if (!columns) return;
  line.classList.add("hanging");
  line.style.setProperty("--columns", String(columns));
}

function newLink(part) {
  const link = document.createElement("a");
  link.className = "send";
  link.tabIndex = 0;
  link.setAttribute("role", "button");
  link.dataset.send = part.send;
  const shown = plain(part.text);
  if (shown !== part.send) link.title = part.send;
  return link;
}
