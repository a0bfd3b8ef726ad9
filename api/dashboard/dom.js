// A few helpers over the document. What stands on the page is changed in place and only where it differs, so that
// a refresh neither flickers nor takes the focus away.

/** An element: h("button", {class: "tab", onclick}, "text", child). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else setAttribute(element, name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else {
    const text = value === true ? "" : String(value);
    if (element.getAttribute(name) !== text) element.setAttribute(name, text);
  }
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Replaces the children only when what they are drawn from has changed. */
export function fill(element, signature, draw) {
  const key = JSON.stringify(signature);
  if (element.drawnFrom === key) return;
  element.drawnFrom = key;
  element.replaceChildren(...[draw()].flat());
}

/** One child for each item, kept by key over refreshes: `make(item)` once, `update(element, item)` each time. */
export function keyed(parent, items, keyOf, make, update) {
  const known = (parent.byKey ??= new Map());
  const wanted = new Set();
  items.forEach((item, index) => {
    const key = keyOf(item);
    wanted.add(key);
    let element = known.get(key);
    if (!element) { element = make(item); known.set(key, element); }
    update(element, item);
    if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null);
  });
  for (const [key, element] of known) if (!wanted.has(key)) { element.remove(); known.delete(key); }
}

export function forget(parent) {
  parent.byKey?.clear();
  parent.drawnFrom = undefined;
  parent.replaceChildren();
}

/** loading, ready, empty or error; the style sheet does the rest. */
export function setState(panel, state) {
  setAttribute(panel, "data-state", state);
  setAttribute(panel, "aria-busy", state === "loading" ? "true" : "false");
}
