/** What GMCP says beside the text: the place with its exits, the character's condition, and who is here. */

const COMPASS = ["northwest", "north", "northeast", "west", "east", "southwest", "south", "southeast"];
const SHORT = {
  n: "north", ne: "northeast", e: "east", se: "southeast", s: "south", sw: "southwest", w: "west", nw: "northwest",
  u: "up", d: "down", in: "in", out: "out",
};
const LETTERS = {
  northwest: "NW", north: "N", northeast: "NE", west: "W", east: "E", southwest: "SW", south: "S", southeast: "SE",
};
const LOW = 0.25;

export class Panes {
  #all;
  #send;
  #changed;
  /** Names of the exits, in full (north, not n), and of the players here. */
  exits = [];
  players = [];

  /** `send(line)` is what an exit does; `changed()` is called when exits or players are others. */
  constructor(all, send, changed) {
    this.#all = all;
    this.#send = send;
    this.#changed = changed;
  }

  /** A GMCP message. Packages that the page does not know are passed over. */
  take(name, data) {
    if (name === "Char.Vitals") this.#vitals(data ?? {});
    else if (name === "Room.Info") this.#place(data ?? {});
    else if (name === "Room.Players") this.#who(Array.isArray(data) ? data : []);
    else return;
    const sections = this.#all.root.querySelectorAll(":scope > section");
    this.#all.root.hidden = [...sections].every((section) => section.hidden);
  }

  /** The character is gone: nothing of this holds any more. */
  clear() {
    this.take("Char.Vitals", {});
    this.take("Room.Info", {});
    this.take("Room.Players", []);
  }

  #place({ name, area, exits }) {
    const { place, placeName, placeArea } = this.#all;
    place.hidden = !name && !exits;
    placeName.textContent = name ?? "";
    placeArea.textContent = area ?? "";
    placeArea.hidden = !area;
    const names = Array.isArray(exits) ? exits.map(String) : Object.keys(exits ?? {});
    this.exits = names.map(inFull);
    this.#showExits(names);
    this.#changed();
  }

  /** Buttons. Whoever walks with the keyboard keeps the focus on the exit of the same name, or on the first. */
  #showExits(names) {
    const root = this.#all.exits;
    const held = root.contains(document.activeElement) ? document.activeElement.dataset.exit : null;
    const buttons = names.map((exit) => this.#exit(exit));
    const compass = buttons.filter((button) => button.dataset.at);
    const others = buttons.filter((button) => !button.dataset.at);
    const group = (className, items) => {
      const element = document.createElement("div");
      element.className = className;
      element.append(...items);
      return items.length ? [element] : [];
    };
    const free = COMPASS.filter((way) => !compass.some((button) => button.dataset.at === way));
    const dots = compass.length ? free.map(noExit) : [];
    root.replaceChildren(...group("compass", [...compass, ...dots]), ...group("ways", others));
    if (held !== null) (buttons.find((button) => button.dataset.exit === held) ?? buttons[0])?.focus();
  }

  #exit(exit) {
    const way = inFull(exit).toLowerCase();
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.exit = exit;
    button.setAttribute("aria-label", way);
    if (COMPASS.includes(way)) {
      button.dataset.at = way;
      button.textContent = LETTERS[way];
      button.title = way;
    } else {
      button.textContent = inFull(exit);
    }
    button.addEventListener("click", () => this.#send(exit));
    return button;
  }

  #vitals(data) {
    const rows = [];
    const used = new Set();
    for (const [key, value] of Object.entries(data)) {
      const most = ["max" + key, "max_" + key, key + "_max", key + "max"].find((name) => isNumber(data[name]));
      if (!most || !isNumber(value)) continue;
      used.add(key).add(most);
      rows.push(bar(key, Number(value), Number(data[most])));
    }
    for (const [key, value] of Object.entries(data)) {
      if (!used.has(key) && (isNumber(value) || typeof value === "string")) rows.push(fact(key, value));
    }
    this.#all.vitals.replaceChildren(...rows);
    this.#all.vitals.hidden = !rows.length;
  }

  #who(players) {
    this.players = players.map((player) => String(player?.name ?? player)).filter(Boolean);
    const items = players.map((player) => {
      const item = document.createElement("li");
      item.textContent = String(player?.fullname || player?.name || player);
      return item;
    });
    this.#all.whoList.replaceChildren(...items);
    this.#all.who.hidden = !items.length;
    this.#changed();
  }
}

/** n, as many servers say, is north; another name is what it is. */
function inFull(exit) {
  return SHORT[exit.toLowerCase()] ?? exit;
}

/** A dot of the compass where no way leads. */
function noExit(way) {
  const dot = document.createElement("span");
  dot.dataset.at = way;
  return dot;
}

/** Some servers send numbers as strings. */
function isNumber(value) {
  return typeof value === "number" || (typeof value === "string" && value !== "" && Number.isFinite(Number(value)));
}

function bar(label, value, most) {
  const share = most > 0 ? Math.min(1, Math.max(0, value / most)) : 0;
  const row = document.createElement("div");
  row.className = "bar";
  row.classList.toggle("low", share < LOW);
  row.setAttribute("role", "meter");
  row.setAttribute("aria-label", label);
  row.setAttribute("aria-valuemin", "0");
  row.setAttribute("aria-valuemax", String(most));
  row.setAttribute("aria-valuenow", String(value));
  row.setAttribute("aria-valuetext", `${value} of ${most}`);
  const line = document.createElement("span");
  line.className = "fill";
  line.style.setProperty("--share", String(share));
  row.append(...texts(titled(label), `${value} / ${most}`), line);
  return row;
}

function fact(label, value) {
  const row = document.createElement("p");
  row.className = "fact";
  row.append(...texts(titled(label), String(value)));
  return row;
}

/** Two letters are an abbreviation: HP, MP, MV. */
function titled(label) {
  return label.length === 2 ? label.toUpperCase() : label;
}

function texts(label, value) {
  return [["label", label], ["value", value]].map(([className, text]) => {
    const element = document.createElement("span");
    element.className = className;
    element.textContent = text;
    return element;
  });
}
