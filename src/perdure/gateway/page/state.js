/** The state of the connection, in words: a quiet one at the top, and a plain sentence when something is wrong. */

const WORDS = { connecting: "Connecting", open: "Connected", waiting: "Reconnecting", stopped: "Not connected" };
const LOUD_AFTER_S = 0.7; // a loss that heals faster than one can read is not spoken of

export class State {
  #parts;
  #say;
  #loud = 0; // timer
  #lostAt = null;
  #reason = ""; // of the loss, if the server gave one
  #tick = 0;
  #leave;
  #wasOpen = false;
  #said = "";

  /** `say(text)` has it read out; `retry()` connects now; `leave()` is called when the button goes that had the focus. */
  constructor(parts, say, retry, leave) {
    this.#parts = parts;
    this.#say = say;
    this.#leave = leave;
    parts.button.addEventListener("click", () => retry());
  }

  /** Show this state of the connection, and what it means for the session. */
  show(now, session) {
    const name = now.name === "connecting" && this.#wasOpen ? "waiting" : now.name;
    this.#parts.dot.dataset.state = name;
    this.#parts.word.textContent = WORDS[name];
    clearTimeout(this.#loud);
    clearInterval(this.#tick);
    if (now.name === "open") this.#open();
    else if (now.name === "stopped") this.#stopped(now);
    else this.#lost(now, session);
  }

  #open() {
    if (!this.#parts.trouble.hidden) this.#say("Connected again.");
    this.#wasOpen = true;
    this.#lostAt = null;
    this.#reason = this.#said = "";
    const focused = document.activeElement === this.#parts.button;
    this.#parts.trouble.hidden = true;
    if (focused) this.#leave();
  }

  #stopped({ reason }) {
    this.#wasOpen = false;
    this.#lostAt = null;
    this.#reason = "";
    this.#tell(reason, "Play again");
  }

  #lost(now, session) {
    this.#lostAt ??= performance.now();
    this.#reason ||= now.reason ?? "";
    const quiet = LOUD_AFTER_S * 1000 - (performance.now() - this.#lostAt);
    if (quiet > 0) {
      this.#loud = setTimeout(() => this.show(now, session), quiet);
      return;
    }
    const lost = this.#wasOpen ? "Connection lost." : "The server does not answer.";
    const what = this.#reason ? `${this.#reason} This page comes back by itself.` : lost;
    const cause = now.device ? " This device has no network." : "";
    const kept = session.goesOn ? " You stay in the game, and what you type is sent later." : "";
    this.#tell(`${what}${cause}${kept}`, "Try now");
    if (now.name === "waiting") this.#count(now.at);
  }

  /** The button counts down; a screen reader hears the sentence once, and no numbers. */
  #count(at) {
    const write = () => {
      const left_s = Math.ceil((at - Date.now()) / 1000);
      this.#parts.button.textContent = left_s > 0 ? `Try now (${left_s} s)` : "Trying …";
    };
    write();
    this.#tick = setInterval(write, 500);
  }

  #tell(text, button) {
    this.#parts.text.textContent = text;
    this.#parts.button.textContent = button;
    this.#parts.button.setAttribute("aria-label", button);
    this.#parts.trouble.hidden = false;
    if (text !== this.#said) this.#say(text);
    this.#said = text;
  }
}
