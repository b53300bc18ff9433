/**
 * One WebSocket at a time: opens it, notices when it is dead, and opens the next one.
 *
 * States, each an object for whoever shows it:
 *   {name: "connecting"}                    there is no answer yet
 *   {name: "open"}                          the server and the page understand each other
 *   {name: "waiting", at, device, reason}   lost; the next try is at `at` (ms), `device`: this device has no network,
 *                                           `reason`: why, if the server said it
 *   {name: "stopped", reason}               nothing happens by itself any more
 */

const OVER = 4001; // close code: the session ended, or is played from another place
const STOPPING = 1012; // close code: the server stops, and all sessions with it
const FINAL = new Set([1002, 1003, 1007, 1008, 1009, 1010]); // it would only end in the same way again
const PAUSES_S = [0, 0.5, 1, 2, 3]; // between tries
const SOON_S = 60; // so long after the loss the last of these holds: most networks are back by then, or not soon
const LATER_PAUSE_S = 12;
const OPENING_MAX_S = 10;
const ANSWER_MAX_S = 8; // after this long without a word that was due, the network is taken for dead
const SILENCE_MAX_S = 30; // after this long without a word, one is asked for

export class Connection {
  #url;
  #hooks;
  #socket = null;
  #tries = 0;
  #lostAt = null;
  #settled = false; // whether this socket ever got as far as `settle`
  #retry = 0;
  #answer = 0;
  #heard = 0;
  state = { name: "connecting" };

  /**
   * hooks.heard(message)   the server's next message
   * hooks.changed(state)   what holds now
   * hooks.lost(over)       the socket is gone, before anything else is tried; over: and so is the session
   * hooks.probe()          a message that the server answers at once
   * hooks.goesOn()         whether there is a session to go on with
   */
  constructor(url, hooks) {
    this.#url = url;
    this.#hooks = hooks;
    window.addEventListener("online", () => this.#look(0));
    window.addEventListener("offline", () => this.#look(0));
    document.addEventListener("visibilitychange", () => document.hidden || this.#look(10));
    setInterval(() => this.#look(SILENCE_MAX_S), 5000);
  }

  /** Open a socket now, in place of whatever there is. */
  open() {
    this.#abandon();
    this.#change({ name: "connecting" });
    const socket = new WebSocket(this.#url, "perdure");
    this.#socket = socket;
    this.#settled = false;
    this.#expect(OPENING_MAX_S);
    socket.onmessage = (event) => {
      this.#heard = performance.now();
      clearTimeout(this.#answer);
      this.#answer = 0;
      this.#hooks.heard(JSON.parse(event.data));
    };
    socket.onclose = (event) => this.#closed(event);
  }

  /** The server greeted: the next loss is tried at once again. */
  settle() {
    this.#tries = 0;
    this.#lostAt = null;
    this.#settled = true;
    this.#change({ name: "open" });
  }

  /** Send, if there is a socket; `answered`: the server will answer, or it is gone. */
  send(message, answered = false) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify(message));
    if (answered) this.#expect(ANSWER_MAX_S);
  }

  /** Give up, until somebody opens it again. */
  stop(reason) {
    this.#abandon();
    this.#change({ name: "stopped", reason });
  }

  /** Something may have happened to the network: ask, or try at once, if nothing was heard for so long. */
  #look(silence_s) {
    if (this.state.name === "waiting" && silence_s < SILENCE_MAX_S) this.open();
    const silent = performance.now() - this.#heard >= silence_s * 1000;
    if (this.state.name === "open" && silent && !this.#answer) this.send(this.#hooks.probe(), true);
  }

  #expect(seconds) {
    if (!this.#answer) this.#answer = setTimeout(() => this.#gone(), seconds * 1000);
  }

  #closed({ code, reason, wasClean }) {
    if (code === STOPPING) {
      this.#gone({ over: true, reason });
      return;
    }
    const unknown = wasClean && this.#settled && !this.#hooks.goesOn(); // nobody logged in, perhaps nobody is here
    if (code !== OVER && !FINAL.has(code) && !unknown) {
      this.#gone();
      return;
    }
    this.#hooks.lost(code === OVER);
    this.stop(reason || "The server closed the connection.");
  }

  #gone({ over = false, reason = "" } = {}) {
    this.#abandon();
    this.#hooks.lost(over);
    const delay = this.#pause_s() * 1000 * (0.75 + Math.random() / 2); // not everybody comes back in the same moment
    this.#retry = setTimeout(() => this.open(), delay);
    this.#change({ name: "waiting", at: Date.now() + delay, device: !navigator.onLine, reason });
  }

  #pause_s() {
    this.#lostAt ??= performance.now();
    if (performance.now() - this.#lostAt > SOON_S * 1000) return LATER_PAUSE_S;
    return PAUSES_S[Math.min(this.#tries++, PAUSES_S.length - 1)];
  }

  /** A dead network lets no socket close in time, so the old one is left to itself. */
  #abandon() {
    clearTimeout(this.#retry);
    clearTimeout(this.#answer);
    this.#answer = 0;
    if (!this.#socket) return;
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = null;
  }

  #change(state) {
    this.state = state;
    this.#hooks.changed(state);
  }
}
