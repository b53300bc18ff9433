/** The page: which part tells which, and the words for the state of the connection. */

import { Announcer } from "./announcer.js";
import { Away } from "./away.js";
import { Completion } from "./completion.js";
import { Connection } from "./connection.js";
import { Frames } from "./frames.js";
import { History } from "./history.js";
import { Input } from "./input.js";
import { Panes } from "./panes.js";
import { render, Scrollback } from "./scrollback.js";
import { Session } from "./session.js";
import { Settings } from "./settings.js";
import { plain, PLAIN } from "./sgr.js";
import { State } from "./state.js";
import { Store } from "./store.js";
import { follow, size } from "./window.js";

const $ = (id) => document.getElementById(id);
const historyStore = new Store("sessionStorage", "perdure.history");
const PASSWORD_ON_THE_LINE = /^(\s*(?:connect|create)\s+\S+\s+)\S.*$/i;

const announcer = new Announcer($("announcer"));
const scrollback = new Scrollback($("scrollback"), $("newest"), (line) => sendFrom(line));
const history = new History(historyStore.get([]));
const completion = new Completion();
const away = new Away({ mark: () => scrollback.notice(""), say: (...lines) => announcer.say(...lines) });
const frames = new Frames(show, shown);
let news = []; // lines of this frame, to be read out
let prompts = true; // whether the player wants the game's
let unseen = 0; // lines that came while the page was hidden
let title = "Perdure";

const settings = new Settings(
  new Store("localStorage", "perdure.settings"),
  $("settings"),
  {
    size: $("set-size"), sizeShown: $("size-shown"), font: $("set-font"), theme: $("set-theme"), contrast: $("set-contrast"),
    motion: $("set-motion"), screenreader: $("set-screenreader"), reset: $("settings-reset"),
  },
  (name) => {
    if (name === "screenreader") session.settings({ screenreader: settings.screenreader });
    else if (name === "size" || name === "font") session.resize(size($("scrollback")));
  },
);

const panes = new Panes(
  {
    root: $("panes"), place: $("place"), placeName: $("place-name"), placeArea: $("place-area"), exits: $("exits"),
    vitals: $("vitals"), who: $("who"), whoList: $("who-list"),
  },
  (line) => sendFrom(line),
  () => (completion.names = [...panes.players, ...panes.exits]),
);

const connection = new Connection(playUrl(), {
  heard: (message) => session.heard(message),
  changed: (now) => state.show(now, session),
  lost: (over) => session.lost(over),
  probe: () => ({ type: "settings" }),
  goesOn: () => session.goesOn,
});

const state = new State(
  {
    dot: $("state"), word: $("state-text"), trouble: $("trouble"), text: $("trouble-text"), button: $("trouble-button"),
  },
  (text) => announcer.say(text),
  () => connection.open(),
);

const session = new Session(connection, new Store("sessionStorage", "perdure.session"), {
  hello: () => ({ ...size($("scrollback")), screenreader: settings.screenreader, client: "perdure web 1" }),
  greeted: (server) => {
    title = server;
    $("server").textContent = server;
    named();
  },
  show: (message) => frames.add(message),
  echo: (on) => input.hide(!on),
  took: (n) => scrollback.took(n),
  token: () => {
    named();
    hidePrompt();
  },
  resumed: (missed) => {
    frames.flush();
    away.expect(missed);
  },
  refused: (reason, unsent) => {
    frames.flush();
    scrollback.waiting(true);
    notice(reason);
    if (unsent) notice(`${unsent} line${unsent === 1 ? " was" : "s were"} not sent.`);
    ended();
  },
  settings: (held) => {
    settings.hold(held);
    prompts = held.prompt !== false;
    hidePrompt();
  },
  bye: () => {
    frames.flush();
    ended();
  },
  held: () => {
    frames.flush();
    scrollback.waiting(!session.goesOn);
    if (!session.goesOn) ended();
  },
  problem: (reason, n) => {
    scrollback.refused(n);
    notice(reason);
  },
});

const input = new Input(
  { form: $("entry"), field: $("input"), completions: $("completions") },
  history,
  completion,
  {
    send,
    interrupt: () => session.interrupt(),
    page: (direction) => scrollback.page(direction),
    told: (text) => announcer.say(text),
  },
);

// --- what the player does ---

/** Send a line; whether it was accepted. What is hidden, or may hold a password, is in no history. */
function send(line) {
  const hidden = session.hidden;
  const n = session.line(line);
  if (n === null) {
    announcer.say(session.goesOn ? "Not sent: too many lines wait already." : "Not sent: there is no connection.");
    return false;
  }
  frames.flush();
  if (hidden) {
    scrollback.toEnd();
    return true;
  }
  const known = Boolean(session.name);
  scrollback.typed(known ? line : line.replace(PASSWORD_ON_THE_LINE, "$1••••••"), n);
  if (session.waiting) scrollback.waiting();
  if (known) {
    history.add(line);
    historyStore.set(history.lines);
    completion.see(line);
  }
  return true;
}

/** Send a line from a link or a button, and go back to typing, unless that would bring up a phone's keyboard. */
function sendFrom(line) {
  if (session.hidden || !send(line)) return;
  if (matchMedia("(pointer: fine)").matches && !$("exits").contains(document.activeElement)) input.focus();
}

// --- what the server does ---

/** Show one numbered message; how many lines it had. */
function show(message) {
  if (message.type === "prompt") return showPrompt(message.text);
  if (message.type === "gmcp") {
    panes.take(message.package, message.data);
    return 1;
  }
  if (!message.parts.some((part) => part)) return 1; // nothing of it is for this player
  away.before(message.again);
  const lines = scrollback.show(message.parts, message);
  lines.forEach((line) => completion.see(line));
  if (!away.take(lines, message.again) && !message.again) news.push(...lines);
  if (document.hidden && !message.again) {
    unseen += lines.length;
    named();
  }
  return lines.length;
}

/** Everything of a frame is in the document. */
function shown() {
  scrollback.settle();
  announcer.say(...news);
  news = [];
  session.shown();
}

/** The prompt. It is read out only before the login: a game's prompt stands there to be looked at. */
function showPrompt(text) {
  const nodes = [];
  render(text, PLAIN, (node) => nodes.push(node));
  $("prompt").replaceChildren(...nodes);
  if (!session.name) news.push(plain(text));
  return 1;
}

function notice(text) {
  if (!text) return;
  scrollback.notice(text);
  announcer.say(text);
}

/** There is no character any more. */
function ended() {
  panes.clear();
  input.hide(false);
  $("prompt").replaceChildren();
  hidePrompt();
  named();
}

/** A game's prompt can be switched off; what the login asks is always shown. */
function hidePrompt() {
  $("prompt").hidden = !prompts && Boolean(session.name);
}

function named() {
  document.title = (unseen ? `(${unseen}) ` : "") + (session.name ? `${session.name} · ${title}` : title);
}

function playUrl() {
  const url = new URL("play", document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

// --- the window ---

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unseen = 0;
  named();
});
$("text").addEventListener("click", (event) => {
  const touches = !matchMedia("(pointer: fine)").matches;
  if (!touches && getSelection().isCollapsed && !event.target.closest("a, button")) input.focus();
});
$("skip").addEventListener("click", (event) => {
  event.preventDefault();
  input.focus();
});
$("open-settings").addEventListener("click", () => settings.open());
$("settings").addEventListener("close", () => input.focus());
window.addEventListener("pagehide", () => session.leave());
follow($("scrollback"), (now) => session.resize(now));
for (const { n, text } of session.pending) scrollback.typed(text, n);
input.focus();
connection.open();
